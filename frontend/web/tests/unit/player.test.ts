import { describe, expect, test } from "vitest";
import { sitePath } from "../../src/api/site-path";
import { DoubleTap } from "../../src/player/double-tap";
import { parsePositions, withPosition } from "../../src/player/resume";
import { commandFor, isKept } from "../../src/player/shortcuts";
import { frameAt, parseStoryboard } from "../../src/player/storyboard";
import { stateWords } from "../../src/progress/state-words";
import { progressWords } from "../../src/progress/words";
import { watchAddress } from "../../src/watch/address";

describe("shortcuts", () => {
  const plain = { ctrlKey: false, altKey: false, metaKey: false };
  test.each([
    ["k", "KeyK", { kind: "toggle-play" }],
    ["K", "KeyK", { kind: "toggle-play" }],
    [" ", "Space", { kind: "toggle-play" }],
    ["л", "KeyK", { kind: "toggle-play" }],
    ["ArrowLeft", "ArrowLeft", { kind: "seek-by", seconds: -5 }],
    ["l", "KeyL", { kind: "seek-by", seconds: 10 }],
    ["7", "Digit7", { kind: "seek-to-share", share: 0.7 }],
    ["End", "End", { kind: "seek-to-share", share: 1 }],
    [">", "Period", { kind: "speed-step", direction: 1 }],
    ["?", "Slash", { kind: "help" }],
    ["x", "KeyX", undefined],
    ["Escape", "Escape", undefined],
  ])("%j (%s)", (key, code, expected) => expect(commandFor({ key, code, ...plain })).toEqual(expected));

  test.each([
    ["field", "k", true],
    ["menu", "ArrowDown", true],
    ["menu", " ", true],
    ["menu", "k", false],
    ["menu button", "ArrowUp", true],
    ["menu button", "ArrowLeft", false],
    ["slider", "End", true],
    ["slider", "m", false],
    ["button", " ", true],
    ["button", "ArrowUp", false],
    ["link", "ArrowUp", true],
    ["player", " ", false],
    ["page", "ArrowDown", true],
    ["page", " ", false],
    ["page", "ArrowLeft", false],
  ] as const)("with the focus on a %s, %j is kept: %s", (focus, key, expected) => {
    expect(isKept(focus, key)).toBe(expected);
  });

  test.each(["ctrlKey", "altKey", "metaKey"] as const)("%s belongs to the browser", (modifier) =>
    expect(commandFor({ key: "k", code: "KeyK", ...plain, [modifier]: true })).toBeUndefined(),
  );
});

test.each([
  [
    "right, right",
    [
      [0.9, 0],
      [0.8, 200],
    ],
    [undefined, 10],
  ],
  [
    "left, left",
    [
      [0.1, 0],
      [0.2, 200],
    ],
    [undefined, -10],
  ],
  [
    "three quick ones",
    [
      [0.9, 0],
      [0.9, 200],
      [0.9, 400],
    ],
    [undefined, 10, 10],
  ],
  [
    "too slow",
    [
      [0.9, 0],
      [0.9, 301],
    ],
    [undefined, undefined],
  ],
  [
    "two sides",
    [
      [0.9, 0],
      [0.1, 100],
    ],
    [undefined, undefined],
  ],
  [
    "the middle",
    [
      [0.5, 0],
      [0.5, 100],
    ],
    [undefined, undefined],
  ],
])("taps: %s", (_, taps, expected) => {
  const doubleTap = new DoubleTap();
  expect(taps.map(([share = 0, at = 0]) => doubleTap.tap(share, at))).toEqual(expected);
});

describe("resume", () => {
  test.each([
    [4.9, undefined],
    [5, 5],
    [94.9, 94],
    [96, undefined],
    [Number.NaN, undefined],
  ])("%d of 100 seconds are kept as %s", (seconds, expected) => {
    const kept = withPosition([["v", 50]], "v", seconds, 100);
    expect(kept.find(([id]) => id === "v")?.[1]).toBe(expected);
  });

  test("the oldest are forgotten first", () => {
    let positions: ReturnType<typeof withPosition> = [];
    for (let index = 0; index < 300; index += 1) positions = withPosition(positions, `v${index}`, 10, 100);
    expect(positions).toHaveLength(200);
    expect(positions[0]?.[0]).toBe("v100");
  });

  test.each([undefined, "", "nonsense", "{}", '[["v"],[1,2],["v","x"],null]'])("%j holds nothing", (text) =>
    expect(parsePositions(text)).toEqual([]),
  );
});

describe("storyboard", () => {
  const ADDRESS = "https://site.example/media/v/storyboard.vtt";
  const FILE = [
    "WEBVTT",
    "",
    "NOTE made by hand",
    "",
    "1",
    "00:00.000 --> 00:04.000",
    "sprite.jpg#xywh=0,0,160,90",
    "",
    "00:00:04.000 --> 00:00:08.500 align:start",
    "sprite.jpg#xywh=pixel:160,0,160,90",
    "",
    "00:08.500 --> 00:12.000",
    "https://elsewhere.example/x.jpg#xywh=0,0,160,90",
    "",
    "00:12.000 --> 00:16.000",
    "javascript:alert(1)#xywh=0,0,160,90",
    "",
    "00:16.000 --> 00:20.000",
    "no place",
  ];

  test.each(["\n", "\r\n"])("is read with line ends %j; other origins and nonsense are left out", (end) => {
    const frames = parseStoryboard(FILE.join(end), ADDRESS);
    expect(frames).toEqual([
      {
        startSeconds: 0,
        endSeconds: 4,
        image: "https://site.example/media/v/sprite.jpg",
        x: 0,
        y: 0,
        width: 160,
        height: 90,
      },
      {
        startSeconds: 4,
        endSeconds: 8.5,
        image: "https://site.example/media/v/sprite.jpg",
        x: 160,
        y: 0,
        width: 160,
        height: 90,
      },
    ]);
  });

  test("the picture of a moment is the last that began", () => {
    const frames = parseStoryboard(FILE.join("\n"), ADDRESS);
    expect([-1, 0, 3.9, 4, 99].map((at) => frameAt(frames, at)?.startSeconds)).toEqual([0, 0, 0, 4, 4]);
    expect(frameAt([], 1)).toBeUndefined();
  });
});

test.each([
  ["/media/v/poster.jpg", "/media/v/poster.jpg"],
  ["//elsewhere.example/x", undefined],
  ["https://elsewhere.example/x", undefined],
  ["javascript:alert(1)", undefined],
  ["/\\elsewhere.example", undefined],
  ["", undefined],
  [null, undefined],
])("the path %j is used as %s", (path, expected) => expect(sitePath(path)).toBe(expected));

test.each([
  ["AdmitUpload", "Admit upload"],
  ["TranscodeAndPrepareDelivery", "Transcode and prepare delivery"],
  ["EnsureCDN", "Ensure CDN"],
  ["x", "x"],
])("%s reads %s", (name, expected) => expect(stateWords(name)).toBe(expected));

test("progress in words", () => {
  expect(progressWords(null)).toBe("Processing");
  expect(progressWords({ phase: "PROBING", percent: 0 })).toBe("Looking at the file");
  expect(progressWords({ phase: "TRANSCODING", percent: 42 })).toBe("Transcoding 42 %");
  expect(progressWords({ phase: "NEW_PHASE", percent: 42 })).toBe("Processing 42 %");
});

test("watch addresses", () => {
  expect(watchAddress("v1")).toBe("./watch.html?v=v1");
  expect(watchAddress("v1", 0.4)).toBe("./watch.html?v=v1");
  expect(watchAddress("v1", 90.9)).toBe("./watch.html?v=v1&t=1m30s");
});
