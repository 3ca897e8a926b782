/** What is told of a transcode's progress. */

import type { Progress } from "../contracts/api";

const PHASES: Record<string, string> = {
  PROBING: "Looking at the file",
  TRANSCODING: "Transcoding",
  UPLOADING: "Storing",
};

/** Such as `Transcoding 42 %`; `Processing` before there is a job. */
export function progressWords(progress: Progress | null | undefined): string {
  if (!progress) return "Processing";
  const phase = PHASES[progress.phase] ?? "Processing";
  return progress.phase === "PROBING" ? phase : `${phase} ${progress.percent} %`;
}

/** From 0 to 1. */
export function progressShare(progress: Progress | null | undefined): number {
  return progress ? progress.percent / 100 : 0;
}
