/** The catalogue's rows in memory: pages put together, kept fresh, searched. Pure. */

import type { Video, VideoList } from "../contracts/api";

/** The rows seen so far, newest first, and where the next page begins. */
export interface Listing {
  videos: readonly Video[];
  /** Absent when all rows have been seen. */
  nextCursor: string | undefined;
}

/** Newest first, as the API orders them: by creation, then by id. */
function newestFirst(a: Video, b: Video): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? 1 : -1;
  if (a.videoId === b.videoId) return 0;
  return a.videoId < b.videoId ? 1 : -1;
}

function together(older: readonly Video[], newer: readonly Video[]): Video[] {
  const byId = new Map([...older, ...newer].map((video) => [video.videoId, video]));
  return [...byId.values()].sort(newestFirst);
}

/** What the first page says. */
export function begin(page: VideoList): Listing {
  return { videos: together([], page.videos), nextCursor: page.nextCursor ?? undefined };
}

/** The listing with a further page. A row that moved between pages meanwhile is there once. */
export function extend(listing: Listing, page: VideoList): Listing {
  return { videos: together(listing.videos, page.videos), nextCursor: page.nextCursor ?? undefined };
}

/**
 * The listing with the first page asked again: new rows appear, changed rows change, and rows that the page ought to hold but
 * does not are gone. Rows beyond that page, and the way to the next one, stay. When the page has no row in common with what
 * is known, there may be a gap between the two: the listing begins anew.
 */
export function refresh(listing: Listing, firstPage: VideoList): Listing {
  const last = firstPage.videos.at(-1);
  const ids = new Set(firstPage.videos.map((video) => video.videoId));
  if (!firstPage.nextCursor || !last || !listing.videos.some((video) => ids.has(video.videoId))) return begin(firstPage);
  const beyond = listing.videos.filter((video) => newestFirst(video, last) > 0);
  if (beyond.length === 0) return begin(firstPage);
  return { videos: together(beyond, firstPage.videos), nextCursor: listing.nextCursor };
}

/** The listing with single rows asked again. */
export function update(listing: Listing, videos: readonly Video[]): Listing {
  return { ...listing, videos: together(listing.videos, videos) };
}

/** Rows whose title or file name holds every word of the query, whatever the case or accents. */
export function search(videos: readonly Video[], query: string): readonly Video[] {
  const words = fold(query).split(/\s+/).filter(Boolean);
  if (words.length === 0) return videos;
  return videos.filter((video) => {
    const text = fold(`${video.title} ${video.filename}`);
    return words.every((word) => text.includes(word));
  });
}

function fold(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}
