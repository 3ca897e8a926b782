/** How fast an upload goes, over its last seconds, and how long it will take. Pure: time comes in. */

const WINDOW_MS = 10_000;
/** Before that, a figure would jump about. */
const SETTLED_MS = 1_000;

interface Sample {
  atMs: number;
  bytes: number;
}

/** Measures one transfer. */
export class SpeedMeter {
  #samples: Sample[] = [];

  /** So many bytes have arrived in all, by now. */
  record(bytes: number, nowMs: number): void {
    this.#samples.push({ atMs: nowMs, bytes });
    const oldest = this.#samples.findIndex((sample) => nowMs - sample.atMs <= WINDOW_MS);
    // One sample from before the window stays, as where the window begins.
    if (oldest > 1) this.#samples.splice(0, oldest - 1);
  }

  /** Forgets what was before a pause. */
  reset(): void {
    this.#samples = [];
  }

  /** Bytes a second; nothing before it is known. */
  bytesPerSecond(): number | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last || last.atMs - first.atMs < SETTLED_MS) return undefined;
    return Math.max(0, ((last.bytes - first.bytes) * 1000) / (last.atMs - first.atMs));
  }

  /** Milliseconds until so many more bytes are there. */
  remainingMs(bytes: number): number | undefined {
    const speed = this.bytesPerSecond();
    return speed ? (bytes / speed) * 1000 : undefined;
  }
}
