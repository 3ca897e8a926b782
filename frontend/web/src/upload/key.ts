/**
 * The upload key. It comes in the fragment of the address (`upload.html#key=...`), which browsers do not send to servers, or
 * is typed in; it is kept for the session of this tab only and never stays in the address bar.
 */

import { recall, remember } from "../ui/storage";

const NAME = "vodline.upload-key";

/** The key in a fragment such as `#key=...`. */
export function keyOfFragment(fragment: string): string | undefined {
  return new URLSearchParams(fragment.replace(/^#/, "")).get("key") || undefined;
}

/** Takes the key out of the address bar, if it holds one. */
export function takeKeyFromAddress(): void {
  const key = keyOfFragment(location.hash);
  if (!key) return;
  keepKey(key);
  history.replaceState(null, "", location.pathname + location.search);
}

/** The key of this session; empty if there is none. */
export function uploadKey(): string {
  return recall(NAME, "session") ?? "";
}

/** Keeps a key for this session; an empty one is forgotten. */
export function keepKey(key: string): void {
  remember(NAME, key || undefined, "session");
}
