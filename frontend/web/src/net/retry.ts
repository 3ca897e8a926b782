/** Trying again: how often, how long to wait, and what is worth it. */

/** Bounds of a series of attempts. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  attempts: number;
  /** Longest wait before the second attempt, in milliseconds; doubles with each further one. */
  baseDelayMs: number;
  /** No wait is longer, in milliseconds. */
  maxDelayMs: number;
}

/** What an attempt needs from outside; replaced in tests. */
export interface RetryPorts {
  /** Resolves after so many milliseconds, rejects as soon as the signal aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** From 0 up to, not including, 1. */
  random(): number;
}

/** An error that says itself whether another attempt can help. */
export interface Retryable {
  retryable: boolean;
}

/** "Full jitter": anything between nothing and the doubled bound, so that clients that failed together do not return together. */
export function delayBefore(attempt: number, policy: RetryPolicy, random: () => number): number {
  const bound = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (attempt - 1));
  return Math.round(random() * bound);
}

/** Runs `attempt` until it succeeds, its error is not worth a retry, the policy is exhausted or the signal aborts. */
export async function withRetry<T>(
  attempt: () => Promise<T>,
  policy: RetryPolicy,
  ports: RetryPorts,
  signal?: AbortSignal,
): Promise<T> {
  for (let number = 1; ; number += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (signal?.aborted || number >= policy.attempts || !isRetryable(error)) throw error;
      await ports.sleep(delayBefore(number, policy, ports.random), signal);
    }
  }
}

function isRetryable(error: unknown): boolean {
  return typeof error === "object" && error !== null && (error as Partial<Retryable>).retryable === true;
}

/** The browser's clock and randomness. */
export const browserPorts: RetryPorts = {
  sleep(milliseconds, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const stop = () => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", stop);
        resolve();
      }, milliseconds);
      signal?.addEventListener("abort", stop, { once: true });
    });
  },
  random: Math.random,
};
