import { expect, test } from "vitest";
import { browserPorts, delayBefore, type RetryPolicy, withRetry } from "../../src/net/retry";

const POLICY: RetryPolicy = { attempts: 4, baseDelayMs: 100, maxDelayMs: 300 };

const temporary = Object.assign(new Error("temporary"), { retryable: true });

/** Fails with each of the errors in turn, then succeeds. */
async function run(errors: Error[], signal?: AbortSignal) {
  const delays: number[] = [];
  let attempts = 0;
  const outcome = await withRetry(
    async () => {
      attempts += 1;
      const error = errors[attempts - 1];
      if (error) throw error;
      return "done";
    },
    POLICY,
    { sleep: async (milliseconds) => void delays.push(milliseconds), random: () => 0.5 },
    signal,
  ).catch((error: Error) => error.message);
  return { outcome, attempts, delays };
}

test("waits longer and longer, up to a bound", async () => {
  expect(await run([temporary, temporary, temporary])).toEqual({
    outcome: "done",
    attempts: 4,
    delays: [50, 100, 150],
  });
});

test("gives up after the last attempt", async () => {
  expect(await run([temporary, temporary, temporary, temporary])).toMatchObject({ outcome: "temporary", attempts: 4 });
});

test("does not repeat what cannot help", async () => {
  expect(await run([new Error("permanent")])).toMatchObject({ outcome: "permanent", attempts: 1 });
});

test("stops when it is told to", async () => {
  expect(await run([temporary], AbortSignal.abort())).toMatchObject({ outcome: "temporary", attempts: 1 });
});

test("jitter covers everything up to the bound", () => {
  expect(delayBefore(1, POLICY, () => 0)).toBe(0);
  expect(delayBefore(2, POLICY, () => 0.999)).toBe(200);
  expect(delayBefore(30, POLICY, () => 0.999)).toBe(300);
});

test("a wait ends with its signal", async () => {
  const controller = new AbortController();
  const waiting = browserPorts.sleep(60_000, controller.signal);
  controller.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  await expect(browserPorts.sleep(60_000, controller.signal)).rejects.toThrow("enough");
});
