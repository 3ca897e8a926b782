/** The keyboard map of the player: which key means what. Pure. */

/** What a key asks for. */
export type Command =
  | { kind: "toggle-play" | "toggle-mute" | "toggle-fullscreen" | "toggle-picture-in-picture" }
  | { kind: "toggle-captions" | "toggle-theatre" | "search" | "help" }
  | { kind: "seek-by"; seconds: number }
  | { kind: "seek-to-share"; share: number }
  | { kind: "volume-by"; amount: number }
  | { kind: "speed-step"; direction: 1 | -1 }
  | { kind: "frame-step"; direction: 1 | -1 };

/** The part of a keyboard event that decides. */
export interface Key {
  key: string;
  code: string;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

/** What has the focus when a key is pressed. */
export type Focus = "field" | "menu" | "menu button" | "slider" | "button" | "link" | "player" | "page";

const ARROWS = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End"];

/** Keys that keep their own meaning, by what has the focus. Up and down scroll the page unless the player has it. */
const KEPT: Record<Exclude<Focus, "field">, readonly string[]> = {
  menu: [...ARROWS, " "],
  "menu button": ["ArrowUp", "ArrowDown", " "],
  slider: ARROWS,
  button: [" "],
  // A button or link of the page around the player.
  link: ["ArrowUp", "ArrowDown", "Home", "End", " "],
  player: [],
  page: ["ArrowUp", "ArrowDown", "Home", "End"],
};

/** Whether the key belongs to what has the focus rather than to the player. */
export function isKept(focus: Focus, key: string): boolean {
  return focus === "field" || KEPT[focus].includes(key);
}

/** The map as the help shows it. */
export const HELP: readonly [keys: readonly string[], words: string][] = [
  [["Space", "k"], "Play or pause"],
  [["←", "→"], "5 seconds back or on"],
  [["j", "l"], "10 seconds back or on"],
  [["0", "…", "9"], "Go to that tenth of the video"],
  [["Home", "End"], "Go to the start or the end, with the focus on the player"],
  [["↑", "↓"], "Volume, with the focus on the player"],
  [["m"], "Mute"],
  [["<", ">"], "Slower or faster"],
  [[",", "."], "Frame by frame, when paused"],
  [["f"], "Full screen"],
  [["t"], "Theatre mode"],
  [["i"], "Picture in picture"],
  [["c"], "Captions"],
  [["/"], "Search"],
  [["?"], "This help"],
];

const COMMANDS: Record<string, Command> = {
  " ": { kind: "toggle-play" },
  k: { kind: "toggle-play" },
  m: { kind: "toggle-mute" },
  f: { kind: "toggle-fullscreen" },
  i: { kind: "toggle-picture-in-picture" },
  c: { kind: "toggle-captions" },
  t: { kind: "toggle-theatre" },
  ArrowLeft: { kind: "seek-by", seconds: -5 },
  ArrowRight: { kind: "seek-by", seconds: 5 },
  j: { kind: "seek-by", seconds: -10 },
  l: { kind: "seek-by", seconds: 10 },
  ArrowUp: { kind: "volume-by", amount: 0.05 },
  ArrowDown: { kind: "volume-by", amount: -0.05 },
  Home: { kind: "seek-to-share", share: 0 },
  End: { kind: "seek-to-share", share: 1 },
  ">": { kind: "speed-step", direction: 1 },
  "<": { kind: "speed-step", direction: -1 },
  ".": { kind: "frame-step", direction: 1 },
  ",": { kind: "frame-step", direction: -1 },
  "/": { kind: "search" },
  "?": { kind: "help" },
};

/** The command of a key; nothing for keys with modifiers, which belong to the browser. */
export function commandFor(event: Key): Command | undefined {
  if (event.ctrlKey || event.altKey || event.metaKey) return undefined;
  const key = latinKey(event);
  if (/^[0-9]$/.test(key)) return { kind: "seek-to-share", share: Number(key) / 10 };
  return COMMANDS[key];
}

/** The letter that a Latin layout has at the key's place, for layouts that have another script there. */
function latinKey(event: Key): string {
  if (event.key.length !== 1) return event.key;
  const place = /^Key([A-Z])$/.exec(event.code)?.[1];
  const isLatin = event.key.charCodeAt(0) < 128;
  return (isLatin || !place ? event.key : place).toLowerCase();
}
