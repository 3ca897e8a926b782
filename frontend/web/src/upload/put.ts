/** Sends the bytes of one part to where it was signed for. */

import type { Retryable } from "../net/retry";

/** A connection on which nothing moves for this long is given up. */
const STALLED_MS = 45_000;

/** A part that did not arrive. `status` is 0 when no answer came. */
export class PutError extends Error implements Retryable {
  override readonly name = "PutError";
  // Every retry signs anew, so even an expired signature (403) or a timed out request (400) is worth one.
  readonly retryable = true;

  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** PUTs the bytes; `onProgress` gets how many of them have been sent. */
export type PutPart = (
  url: string,
  body: Blob,
  onProgress: (bytes: number) => void,
  signal: AbortSignal,
) => Promise<void>;

/** With XMLHttpRequest, because `fetch` does not tell how much of a body has been sent. */
export const putPart: PutPart = (url, body, onProgress, signal) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let stalled: ReturnType<typeof setTimeout>;
    const settle = (action: () => void) => {
      clearTimeout(stalled);
      signal.removeEventListener("abort", stop);
      action();
    };
    const moved = () => {
      clearTimeout(stalled);
      stalled = setTimeout(() => {
        settle(() => reject(new PutError(0, "The connection to the storage stalled.")));
        request.abort();
      }, STALLED_MS);
    };
    const stop = () => {
      settle(() => reject(signal.reason as Error));
      request.abort();
    };
    request.upload.addEventListener("progress", (event) => {
      moved();
      onProgress(event.loaded);
    });
    request.addEventListener("load", () =>
      settle(() => {
        if (request.status >= 200 && request.status < 300) resolve();
        else reject(new PutError(request.status, `The storage answered with status ${request.status}.`));
      }),
    );
    request.addEventListener("error", () =>
      settle(() => reject(new PutError(0, "The connection to the storage broke off."))),
    );
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    signal.addEventListener("abort", stop, { once: true });
    request.open("PUT", url);
    moved();
    request.send(body);
  });
