/** How the API lists videos. */

import type { Video, VideoList } from "../contracts/api";
import type { Order, Page } from "../paging/listing";

/** Newest first: by creation, then by id. */
export const newestFirst: Order<Video> = {
  id: (video) => video.videoId,
  compare(a, b) {
    if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? 1 : -1;
    if (a.videoId === b.videoId) return 0;
    return a.videoId < b.videoId ? 1 : -1;
  },
};

/** An answer of the API as a page. */
export function pageOf(list: VideoList): Page<Video> {
  return { rows: list.videos, next: list.nextCursor };
}
