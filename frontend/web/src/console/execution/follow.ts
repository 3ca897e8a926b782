/** One execution, followed: its description, its definition and its history, for as long as the page is open. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { usePolling } from "../../ui/poll";
import { statesApi } from "../client";
import { mayGoOn } from "../history";
import { readHistory, readNewEvents } from "../new-events";
import type { Execution, HistoryEvent, StateMachineForExecution } from "../states-api";

const RUNNING_INTERVAL_MS = 1_000;
/** An execution that has ended may be redriven from elsewhere. */
const ENDED_INTERVAL_MS = 10_000;

/** What is known. */
export interface Followed {
  execution: Execution;
  machine: StateMachineForExecution;
  events: readonly HistoryEvent[];
}

/** Follows; `refresh` looks at once, after something was done to the execution. */
export function useExecution(executionArn: string): {
  followed: Followed | undefined;
  error: unknown;
  refresh: () => Promise<void>;
} {
  const [followed, setFollowed] = useState<Followed>();
  const [error, setError] = useState<unknown>();
  const known = useRef<Followed>(undefined);

  const look = useCallback(
    async (signal?: AbortSignal) => {
      try {
        const call = await statesApi();
        // First the description, then the history: so the history is never older than the status that is shown.
        const execution = await call("DescribeExecution", { executionArn }, signal);
        const before = known.current;
        if (!before) {
          const [machine, events] = await Promise.all([
            call("DescribeStateMachineForExecution", { executionArn }, signal),
            readHistory(call, executionArn, signal),
          ]);
          known.current = { execution, machine, events };
        } else {
          const quiet =
            !mayGoOn(execution.status) &&
            execution.status === before.execution.status &&
            execution.redriveCount === before.execution.redriveCount;
          const newer = quiet ? [] : await readNewEvents(call, executionArn, before.events.at(-1)?.id ?? 0, signal);
          known.current = {
            ...before,
            execution,
            events: newer.length > 0 ? [...before.events, ...newer] : before.events,
          };
        }
        setFollowed(known.current);
        setError(undefined);
      } catch (caught) {
        if (!signal?.aborted) setError(caught);
      }
    },
    [executionArn],
  );

  useEffect(() => void look(), [look]);
  const status = followed?.execution.status;
  usePolling(look, status === undefined ? undefined : mayGoOn(status) ? RUNNING_INTERVAL_MS : ENDED_INTERVAL_MS);
  return { followed, error, refresh: () => look() };
}
