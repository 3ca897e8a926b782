/** The catalogue: every video, newest first, with what is in the making and what failed. */

import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { getVideo, listVideos } from "../api/client";
import { describe } from "../api/describe";
import type { Video } from "../contracts/api";
import { count } from "../format/size";
import { begin, extend, type Listing, refresh, update } from "../paging/listing";
import { matchesWords } from "../paging/words";
import { announce } from "../ui/announce";
import { Icon } from "../ui/icon";
import { SiteFrame } from "../ui/layout";
import { Notice } from "../ui/notice";
import { useNow } from "../ui/now";
import { usePolling } from "../ui/poll";
import { Card, SkeletonCard } from "./card";
import { newestFirst, pageOf } from "./order";
import "./catalogue.css";

const PAGE_SIZE = 24;
const SKELETONS = 8;
/** While something is in the making. */
const BUSY_INTERVAL_MS = 3_000;
/** Otherwise: someone else may have uploaded something. */
const IDLE_INTERVAL_MS = 30_000;
/** Rows in the making beyond the first page that are asked for one by one, at most. */
const SINGLE_ROWS_MAX = 8;
/** Pages that a search looks through by itself; more on request. */
const SEARCH_PAGES = 8;
const MINUTE_MS = 60_000;

function queryOfAddress(): string {
  return new URLSearchParams(location.search).get("q") ?? "";
}

function putQueryIntoAddress(query: string): void {
  const address = new URL(location.href);
  if (query) address.searchParams.set("q", query);
  else address.searchParams.delete("q");
  history.replaceState(null, "", address);
}

/** The page. */
export function CataloguePage() {
  const [listing, setListing] = useState<Listing<Video>>();
  const [error, setError] = useState<string>();
  const [loadingMore, setLoadingMore] = useState(false);
  const [query, setQuery] = useState(queryOfAddress);
  const [searchBudget, setSearchBudget] = useState(SEARCH_PAGES);
  const now = useNow(MINUTE_MS);

  const load = useCallback(async () => {
    setError(undefined);
    try {
      setListing(begin(newestFirst, pageOf(await listVideos({ limit: PAGE_SIZE }))));
    } catch (caught) {
      setError(describe(caught));
    }
  }, []);
  useEffect(() => void load(), [load]);

  const loadMore = useCallback(async (cursor: string) => {
    setLoadingMore(true);
    try {
      const page = pageOf(await listVideos({ cursor, limit: PAGE_SIZE }));
      setListing((known) => (known ? extend(newestFirst, known, page) : begin(newestFirst, page)));
      setError(undefined);
    } catch (caught) {
      setError(describe(caught));
    } finally {
      setLoadingMore(false);
    }
  }, []);

  const inTheMaking = listing?.rows.filter((video) => video.status === "PROCESSING") ?? [];
  const refreshRows = async (signal: AbortSignal) => {
    const firstPage = pageOf(await listVideos({ limit: PAGE_SIZE }, signal));
    const covered = new Set(firstPage.rows.map((video) => video.videoId));
    const rest = inTheMaking.filter((video) => !covered.has(video.videoId)).slice(0, SINGLE_ROWS_MAX);
    const singles = await Promise.all(rest.map((video) => getVideo(video.videoId, signal)));
    setListing((known) =>
      update(
        newestFirst,
        known ? refresh(newestFirst, known, firstPage) : begin(newestFirst, firstPage),
        singles.map((detail) => detail.video),
      ),
    );
    setError(undefined);
  };
  const interval = inTheMaking.length > 0 ? BUSY_INTERVAL_MS : IDLE_INTERVAL_MS;
  usePolling(refreshRows, listing ? interval : undefined);
  useOutcomes(listing?.rows);

  const found = useMemo(
    () => (listing?.rows ?? []).filter((video) => matchesWords(`${video.title} ${video.filename}`, query)),
    [listing, query],
  );

  // The API lists and does not search: a search looks through further pages until it has a screenful.
  const cursor = listing?.next;
  useEffect(() => {
    if (query.trim() === "" || !cursor || loadingMore || error || searchBudget === 0 || found.length >= PAGE_SIZE)
      return;
    setSearchBudget(searchBudget - 1);
    void loadMore(cursor);
  }, [query, cursor, loadingMore, error, searchBudget, found.length, loadMore]);

  const changeQuery = (text: string) => {
    setQuery(text);
    setSearchBudget(SEARCH_PAGES);
    putQueryIntoAddress(text);
  };

  return (
    <SiteFrame query={query} onQuery={changeQuery}>
      <div class="row spread catalogue-head">
        <h1>{query.trim() ? `Results for “${query.trim()}”` : "Videos"}</h1>
        {listing && query.trim() && <p class="soft">{count(found.length, "video")} found</p>}
      </div>
      {error && !listing && (
        <Notice title="The videos cannot be listed" onRetry={() => void load()}>
          <p>{error}</p>
        </Notice>
      )}
      {!listing && !error && <Skeletons />}
      {listing && found.length > 0 && (
        <ul class="grid">
          {found.map((video) => (
            <li key={video.videoId}>
              <Card video={video} now={now} />
            </li>
          ))}
        </ul>
      )}
      {listing && found.length === 0 && !loadingMore && <Nothing query={query.trim()} />}
      {listing && (
        <div class="catalogue-more">
          {error && (
            <Notice title="The next videos did not come" look="caught">
              <p>{error}</p>
            </Notice>
          )}
          {cursor && (
            <button
              type="button"
              class="button"
              aria-disabled={loadingMore}
              onClick={() => {
                if (!loadingMore) void loadMore(cursor);
              }}
            >
              {loadingMore ? "Loading…" : query.trim() ? "Search older videos" : "Show more"}
            </button>
          )}
        </div>
      )}
    </SiteFrame>
  );
}

function Skeletons() {
  return (
    <div role="status" aria-label="Loading videos">
      <div class="grid">
        {Array.from({ length: SKELETONS }, (_, index) => (
          <SkeletonCard key={index} />
        ))}
      </div>
    </div>
  );
}

function Nothing({ query }: { query: string }) {
  return (
    <div class="empty">
      <Icon name="film" />
      <h2>{query ? "No video matches" : "No videos yet"}</h2>
      <p class="soft">
        {query ? "Titles and file names are searched." : "Upload the first one. It plays here a few minutes later."}
      </p>
      {!query && (
        <a class="button primary" href="./upload.html">
          <Icon name="upload" /> Upload a video
        </a>
      )}
    </div>
  );
}

/** Announces every video that gets ready or fails while the page is open. */
function useOutcomes(videos: readonly Video[] | undefined): void {
  const before = useRef(new Map<string, Video["status"]>());
  useEffect(() => {
    for (const video of videos ?? []) {
      if (before.current.get(video.videoId) === "PROCESSING" && video.status !== "PROCESSING") {
        announce(`${video.title}: ${video.status === "READY" ? "ready to watch" : "failed"}`);
      }
      before.current.set(video.videoId, video.status);
    }
  }, [videos]);
}
