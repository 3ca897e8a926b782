/** Where a viewer stopped, so that the next visit goes on there. */

import { recall, remember } from "../ui/storage";

const NAME = "vodline.positions";
/** Positions remembered; the oldest are forgotten first. */
const POSITIONS_MAX = 200;
/** Who stopped this early has not begun. */
const EARLIEST_SECONDS = 5;
/** Who stopped this late has finished. */
const LATEST_SHARE = 0.95;

/** Video id and seconds, the latest last. */
export type Positions = readonly (readonly [videoId: string, seconds: number])[];

/** The positions with one more; a position at the very start or near the end is forgotten instead. */
export function withPosition(
  positions: Positions,
  videoId: string,
  seconds: number,
  durationSeconds: number,
): Positions {
  const others = positions.filter(([id]) => id !== videoId);
  if (!(seconds >= EARLIEST_SECONDS && seconds <= durationSeconds * LATEST_SHARE)) return others;
  return [...others, [videoId, Math.floor(seconds)] as const].slice(-POSITIONS_MAX);
}

/** Reads what storage holds; anything unexpected counts as nothing. */
export function parsePositions(text: string | undefined): Positions {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    if (!Array.isArray(value)) return [];
    return value.filter(
      (entry): entry is [string, number] =>
        Array.isArray(entry) && typeof entry[0] === "string" && Number.isFinite(entry[1]),
    );
  } catch {
    return [];
  }
}

/** Seconds at which the viewer stopped. */
export function recallPosition(videoId: string): number | undefined {
  return parsePositions(recall(NAME)).find(([id]) => id === videoId)?.[1];
}

/** Remembers where the viewer is. */
export function rememberPosition(videoId: string, seconds: number, durationSeconds: number): void {
  const positions = withPosition(parsePositions(recall(NAME)), videoId, seconds, durationSeconds);
  remember(NAME, JSON.stringify(positions));
}
