/** How ListExecutions lists. */

import type { Order } from "../../paging/listing";
import type { ExecutionListItem } from "../states-api";

/** The latest start first; those of one moment by name, so that the order does not change between two looks. */
export const latestFirst: Order<ExecutionListItem> = {
  id: (execution) => execution.executionArn,
  compare(a, b) {
    if (a.startDate !== b.startDate) return b.startDate - a.startDate;
    return a.executionArn < b.executionArn ? -1 : a.executionArn > b.executionArn ? 1 : 0;
  },
};
