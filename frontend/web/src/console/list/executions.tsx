/** The executions of one state machine, kept fresh. */

import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { formatElapsed, formatMoment, formatRelative } from "../../format/time";
import { begin, extend, type Listing, refresh } from "../../paging/listing";
import { matchesWords } from "../../paging/words";
import { useNow } from "../../ui/now";
import { usePolling } from "../../ui/poll";
import { Status } from "../../ui/status";
import { statesApi } from "../client";
import { mayGoOn } from "../history";
import { Problem } from "../problem";
import type { ExecutionListItem, ExecutionStatus } from "../states-api";
import { EXECUTION_LOOKS, executionAddress } from "../words";
import { latestFirst } from "./order";

const PAGE_SIZE = 50;
const BUSY_INTERVAL_MS = 2_000;
const IDLE_INTERVAL_MS = 8_000;
const TICK_MS = 1_000;
/** Pages that a search looks through by itself; more on request. */
const SEARCH_PAGES = 10;

interface ExecutionsProps {
  stateMachineArn: string;
  status: ExecutionStatus | undefined;
  query: string;
}

async function readPage({ stateMachineArn, status }: ExecutionsProps, nextToken?: string, signal?: AbortSignal) {
  const call = await statesApi();
  const page = await call(
    "ListExecutions",
    {
      stateMachineArn,
      maxResults: PAGE_SIZE,
      ...(status ? { statusFilter: status } : {}),
      ...(nextToken ? { nextToken } : {}),
    },
    signal,
  );
  return { rows: page.executions, next: page.nextToken };
}

/** The table. Give it a new key for another machine or status. */
export function Executions(props: ExecutionsProps) {
  const { stateMachineArn, status, query } = props;
  const [listing, setListing] = useState<Listing<ExecutionListItem>>();
  const [error, setError] = useState<unknown>();
  const [loadingMore, setLoadingMore] = useState(false);
  const [searchBudget, setSearchBudget] = useState(SEARCH_PAGES);

  const load = useCallback(async () => {
    setError(undefined);
    try {
      setListing(begin(latestFirst, await readPage(props)));
    } catch (caught) {
      setError(caught);
    }
  }, [stateMachineArn, status]);
  useEffect(() => void load(), [load]);

  const loadMore = async (next: string) => {
    setLoadingMore(true);
    try {
      const page = await readPage(props, next);
      setListing((known) => (known ? extend(latestFirst, known, page) : begin(latestFirst, page)));
    } catch (caught) {
      setError(caught);
    } finally {
      setLoadingMore(false);
    }
  };

  const busy = listing?.rows.some((execution) => mayGoOn(execution.status)) ?? false;
  usePolling(
    async (signal) => {
      const firstPage = await readPage(props, undefined, signal);
      setListing((known) => (known ? refresh(latestFirst, known, firstPage) : begin(latestFirst, firstPage)));
      setError(undefined);
    },
    listing ? (busy ? BUSY_INTERVAL_MS : IDLE_INTERVAL_MS) : undefined,
  );
  const now = useNow(busy ? TICK_MS : undefined);

  const found = useMemo(
    () => (listing?.rows ?? []).filter((execution) => matchesWords(execution.name, query)),
    [listing, query],
  );
  // The API cannot search: a search looks through further pages until it has a screenful.
  const next = listing?.next;
  useEffect(() => setSearchBudget(SEARCH_PAGES), [query]);
  useEffect(() => {
    if (query.trim() === "" || !next || loadingMore || error || searchBudget === 0 || found.length >= PAGE_SIZE) return;
    setSearchBudget(searchBudget - 1);
    void loadMore(next);
  }, [query, next, loadingMore, error, searchBudget, found.length]);

  if (!listing) {
    if (error === undefined) return <p role="status">Loading…</p>;
    return <Problem title="The executions cannot be listed" error={error} onRetry={() => void load()} />;
  }
  return (
    <>
      {error !== undefined && <Problem title="The list is not fresh" error={error} onRetry={() => void load()} />}
      {found.length === 0 && !loadingMore && (
        <p class="soft">{listing.rows.length === 0 ? "No executions." : "No execution matches."}</p>
      )}
      {found.length > 0 && (
        <div class="table-scroll" role="region" aria-label="Executions" tabIndex={0}>
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Status</th>
                <th scope="col">Started</th>
                <th scope="col" class="number">
                  Duration
                </th>
                <th scope="col" class="number">
                  Redriven
                </th>
              </tr>
            </thead>
            <tbody>
              {found.map((execution) => (
                <Row key={execution.executionArn} execution={execution} now={now} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {next && (
        <p>
          <button
            type="button"
            class="button"
            aria-disabled={loadingMore}
            onClick={() => {
              if (!loadingMore) void loadMore(next);
            }}
          >
            {loadingMore ? "Loading…" : "Show more"}
          </button>
        </p>
      )}
    </>
  );
}

function Row({ execution, now }: { execution: ExecutionListItem; now: number }) {
  const { look, words } = EXECUTION_LOOKS[execution.status];
  const start = new Date(execution.startDate * 1000);
  const end = execution.stopDate === undefined ? now : execution.stopDate * 1000;
  return (
    <tr>
      <th scope="row">
        <a href={executionAddress(execution.executionArn)}>{execution.name}</a>
      </th>
      <td>
        <Status look={look} words={words} />
      </td>
      <td>
        <time dateTime={start.toISOString()}>
          {formatMoment(start)} <span class="soft">({formatRelative(start, new Date(now))})</span>
        </time>
      </td>
      <td class="number">{formatElapsed(end - start.getTime())}</td>
      <td class="number">{execution.redriveCount || ""}</td>
    </tr>
  );
}
