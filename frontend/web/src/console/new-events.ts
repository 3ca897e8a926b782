/** Reads the part of a history that is not known yet. */

import type { Call, HistoryEvent } from "./states-api";

const FIRST_PAGE = 1_000;
const UPDATE_PAGE = 100;

/** The whole history from the beginning, in order. */
export async function readHistory(call: Call, executionArn: string, signal?: AbortSignal): Promise<HistoryEvent[]> {
  const events: HistoryEvent[] = [];
  let nextToken: string | undefined;
  do {
    const page = await call(
      "GetExecutionHistory",
      { executionArn, includeExecutionData: true, maxResults: FIRST_PAGE, ...(nextToken ? { nextToken } : {}) },
      signal,
    );
    events.push(...page.events);
    nextToken = page.nextToken;
  } while (nextToken);
  return events;
}

/** The events after `lastId`, in order: reads backwards from the newest until it meets what is known. */
export async function readNewEvents(
  call: Call,
  executionArn: string,
  lastId: number,
  signal?: AbortSignal,
): Promise<HistoryEvent[]> {
  const newer: HistoryEvent[] = [];
  let nextToken: string | undefined;
  do {
    const page = await call(
      "GetExecutionHistory",
      {
        executionArn,
        includeExecutionData: true,
        reverseOrder: true,
        maxResults: UPDATE_PAGE,
        ...(nextToken ? { nextToken } : {}),
      },
      signal,
    );
    newer.push(...page.events.filter((event) => event.id > lastId));
    nextToken = page.events.some((event) => event.id <= lastId) ? undefined : page.nextToken;
  } while (nextToken);
  return newer.sort((a, b) => a.id - b.id);
}
