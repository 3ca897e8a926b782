/** What a viewer chose once and expects to find again. */

import { recall, remember } from "../ui/storage";

const NAME = "vodline.player";

/** The choices; each may be missing. */
export interface Preferences {
  /** Label of the quality menu, such as `720p`; missing means Auto. */
  quality?: string | undefined;
  /** 0 to 1. */
  volume?: number;
  muted?: boolean;
  speed?: number;
  theatre?: boolean;
  /** Single-key shortcuts can be turned off (WCAG 2.1.4). */
  shortcutsOff?: boolean;
}

/** What was chosen so far. */
export function preferences(): Preferences {
  try {
    const value: unknown = JSON.parse(recall(NAME) ?? "{}");
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** Remembers one more choice. */
export function prefer(change: Preferences): void {
  remember(NAME, JSON.stringify({ ...preferences(), ...change }));
}
