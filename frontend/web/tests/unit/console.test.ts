import { describe, expect, test } from "vitest";
import { errorOf } from "../../src/console/client";
import { parseConfig } from "../../src/console/config";
import { pretty, tokens } from "../../src/console/json-tokens";
import { readHistory, readNewEvents } from "../../src/console/new-events";
import type { Call, HistoryEvent } from "../../src/console/states-api";
import { causeWords, executionAddress, nameOfArn } from "../../src/console/words";

describe("configuration", () => {
  const GOOD = { endpoint: "http://127.0.0.1:4566", region: "eu-central-1", accessKeyId: "a", secretAccessKey: "s" };
  test("is read", () => expect(parseConfig({ ...GOOD, more: 1 })).toEqual(GOOD));
  test.each(Object.keys(GOOD))("without %s it is refused by name", (name) =>
    expect(() => parseConfig({ ...GOOD, [name]: undefined })).toThrow(name),
  );
  test("nothing is refused", () => expect(() => parseConfig(null)).toThrow("endpoint"));
});

test.each([
  [{ __type: "com.amazonaws.x#ExecutionDoesNotExist", message: "gone" }, "ExecutionDoesNotExist", "gone"],
  [{ __type: "ThrottlingException", Message: "slow down" }, "ThrottlingException", "slow down"],
  [{}, "Http500", "Step Functions answered with status 500."],
  [null, "Http500", "Step Functions answered with status 500."],
])("the error %o is %s: %s", (body, code, message) => {
  const error = errorOf(body, 500);
  expect([error.code, error.message, error.retryable]).toEqual([code, message, true]);
});

test("only what may help is tried again", () => {
  expect(errorOf({ __type: "InvalidArn", message: "" }, 400).retryable).toBe(false);
  expect(errorOf({ __type: "ThrottlingException", message: "" }, 400).retryable).toBe(true);
});

describe("history in pages", () => {
  /** GetExecutionHistory over `size` events in pages of at most `page`. */
  function historyOf(size: number, page: number): { call: Call; asked: number[] } {
    const asked: number[] = [];
    const call = (async (_: string, input: { reverseOrder?: boolean; nextToken?: string; maxResults?: number }) => {
      asked.push(input.maxResults ?? 0);
      const all = Array.from({ length: size }, (_, index): HistoryEvent => ({
        id: index + 1,
        timestamp: index,
        type: "X",
      }));
      if (input.reverseOrder) all.reverse();
      const from = Number(input.nextToken ?? 0);
      const events = all.slice(from, from + page);
      return { events, ...(from + page < size ? { nextToken: String(from + page) } : {}) };
    }) as unknown as Call;
    return { call, asked };
  }

  test.each([0, 1, 10, 11, 25])("all %d events", async (size) => {
    const events = await readHistory(historyOf(size, 10).call, "arn");
    expect(events.map(({ id }) => id)).toEqual(Array.from({ length: size }, (_, index) => index + 1));
  });

  test.each([
    [25, 25, 1],
    [25, 24, 1],
    [25, 16, 1],
    [25, 15, 2],
    [25, 0, 3],
  ])("of %d events those after %d, in %d calls", async (size, lastId, calls) => {
    const { call, asked } = historyOf(size, 10);
    const events = await readNewEvents(call, "arn", lastId);
    expect(events.map(({ id }) => id)).toEqual(Array.from({ length: size - lastId }, (_, index) => lastId + index + 1));
    expect(asked).toHaveLength(calls);
  });
});

describe("JSON", () => {
  test.each([
    [
      '{"a":[1,-2.5e3,"b",true,null]}',
      ['key "a"', "number 1", "number -2.5e3", 'string "b"', "literal true", "literal null"],
    ],
    ['{"k\\"ey" : "v:\\\\"}', ['key "k\\"ey"', 'string "v:\\\\"']],
    ["not json at all", []],
  ])("%s is coloured", (text, expected) => {
    const found = tokens(text);
    expect(found.filter(({ kind }) => kind !== "plain").map(({ kind, text: piece }) => `${kind} ${piece}`)).toEqual(
      expected,
    );
    expect(found.map(({ text: piece }) => piece).join("")).toBe(text);
  });

  test("is indented, and left alone if it is none", () => {
    expect(pretty('{"a":1}')).toBe('{\n  "a": 1\n}');
    expect(pretty("it broke")).toBe("it broke");
  });
});

test.each([
  ['{"errorType":"X","errorMessage":"it broke"}', "it broke"],
  ['{"errorType":"X"}', '{"errorType":"X"}'],
  ["plain words", "plain words"],
  ["null", "null"],
])("the cause %s reads %s", (cause, expected) => expect(causeWords(cause)).toBe(expected));

test("names and addresses", () => {
  const arn = "arn:aws:states:eu-central-1:000000000000:execution:publish:a b";
  expect(nameOfArn(arn)).toBe("a b");
  expect(new URL(executionAddress(arn), "http://x/").searchParams.get("arn")).toBe(arn);
});
