import { describe, expect, test } from "vitest";
import { count, formatBitrate, formatBytes } from "../../src/format/size";
import { formatClock, formatElapsed, formatOffset, formatRelative, parseOffset } from "../../src/format/time";

describe("times", () => {
  test.each([
    [0, "0:00"],
    [499, "0:00"],
    [20_000, "0:20"],
    [725_000, "12:05"],
    [3_599_600, "1:00:00"],
    [3_723_000, "1:02:03"],
    [-5, "0:00"],
  ])("%d ms on a clock is %s", (milliseconds, expected) => expect(formatClock(milliseconds)).toBe(expected));

  test.each([
    [0, "0 ms"],
    [350, "350 ms"],
    [1_240, "1.2 s"],
    [9_949, "9.9 s"],
    [9_960, "10 s"],
    [59_499, "59 s"],
    [59_500, "1 min"],
    [184_000, "3 min 4 s"],
    [3_599_600, "1 h"],
    [3_720_000, "1 h 2 min"],
    [86_399_000, "1 d"],
    [183_600_000, "2 d 3 h"],
    [-1, "0 ms"],
  ])("%d ms take %s", (milliseconds, expected) => expect(formatElapsed(milliseconds)).toBe(expected));

  const now = new Date("2026-11-22T12:00:00Z");
  test.each([
    ["2026-11-22T11:59:30Z", "just now"],
    ["2026-11-22T11:59:00Z", "1 minute ago"],
    ["2026-11-22T11:01:00Z", "59 minutes ago"],
    ["2026-11-22T10:00:00Z", "2 hours ago"],
    ["2026-11-21T12:00:00Z", "yesterday"],
    ["2026-11-15T12:00:00Z", "last week"],
    ["2026-09-22T12:00:00Z", "2 months ago"],
    ["2024-11-22T12:00:00Z", "2 years ago"],
    ["2026-11-22T12:00:10Z", "just now"],
  ])("%s is %s", (then, expected) => expect(formatRelative(new Date(then), now)).toBe(expected));

  test.each([
    ["90", 90],
    ["90s", 90],
    ["1m30s", 90],
    ["1m", 60],
    ["1h2m3s", 3723],
    ["1h3", 3603],
    ["1:30", 90],
    ["1:02:03", 3723],
    ["0", 0],
    ["", undefined],
    ["s", undefined],
    ["-5", undefined],
    ["1.5", undefined],
    ["1s30m", undefined],
    ["1:2", undefined],
    ["99999999999", undefined],
    ["<script>", undefined],
  ])("%j in a link is %s seconds", (text, expected) => expect(parseOffset(text)).toBe(expected));

  test.each([0, 1, 59, 60, 61, 90, 3599, 3600, 3723, 86_400])("%d seconds survive a link", (seconds) =>
    expect(parseOffset(formatOffset(seconds))).toBe(seconds),
  );
});

describe("sizes", () => {
  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1_000, "1.0 kB"],
    [23_456_789, "23 MB"],
    [999_499, "999 kB"],
    [999_500, "1.0 MB"],
    [5_000_000_000_000, "5.0 TB"],
    [-1, "0 B"],
  ])("%d bytes are %s", (bytes, expected) => expect(formatBytes(bytes)).toBe(expected));

  test.each([
    [96_000, "96 kbit/s"],
    [999_600, "1.0 Mbit/s"],
    [2_640_000, "2.6 Mbit/s"],
  ])("%d bits a second are %s", (bits, expected) => expect(formatBitrate(bits)).toBe(expected));

  test("words follow numbers", () => {
    expect([0, 1, 2].map((amount) => count(amount, "video"))).toEqual(["0 videos", "1 video", "2 videos"]);
  });
});
