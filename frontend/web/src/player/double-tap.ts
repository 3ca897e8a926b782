/** Two quick taps on the left or right third of the picture seek, as on phones everywhere. Pure: time comes in. */

/** Between two taps at most. */
const PAUSE_MS = 300;
const SECONDS = 10;

/** Tells double taps from single ones. */
export class DoubleTap {
  #last: { atMs: number; side: number } | undefined;

  /** A tap at a share (0 to 1) of the width. Seconds to seek by, if it is the second one on its side. */
  tap(share: number, nowMs: number): number | undefined {
    const side = share < 1 / 3 ? -1 : share > 2 / 3 ? 1 : 0;
    const last = this.#last;
    this.#last = { atMs: nowMs, side };
    if (!last || side === 0 || last.side !== side || nowMs - last.atMs > PAUSE_MS) return undefined;
    return side * SECONDS;
  }
}
