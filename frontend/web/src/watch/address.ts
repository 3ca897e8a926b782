/** Addresses of watch pages. */

import { formatOffset } from "../format/time";

/** The page of a video, relative to the other pages; with seconds, at that moment of it. */
export function watchAddress(videoId: string, atSeconds?: number): string {
  const parameters = new URLSearchParams({ v: videoId });
  if (atSeconds !== undefined && atSeconds >= 1) parameters.set("t", formatOffset(atSeconds));
  return `./watch.html?${parameters}`;
}
