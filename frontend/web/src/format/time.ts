/** How times and durations are written and read. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A position or length as players write it: `0:20`, `12:05`, `1:02:03`. */
export function formatClock(milliseconds: number): string {
  const total = Math.max(0, Math.round(milliseconds / SECOND));
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  const seconds = String(total % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

/** How long something took: `350 ms`, `1.2 s`, `3 min 4 s`, `1 h 2 min`, `2 d 3 h`. */
export function formatElapsed(milliseconds: number): string {
  const elapsed = Math.max(0, milliseconds);
  if (elapsed < SECOND) return `${Math.round(elapsed)} ms`;
  if (elapsed < 9.95 * SECOND) return `${(elapsed / SECOND).toFixed(1)} s`;
  if (elapsed < MINUTE - SECOND / 2) return `${Math.round(elapsed / SECOND)} s`;
  if (elapsed < HOUR - SECOND / 2) return pair(elapsed, MINUTE, "min", SECOND, "s");
  if (elapsed < DAY - MINUTE / 2) return pair(elapsed, HOUR, "h", MINUTE, "min");
  return pair(elapsed, DAY, "d", HOUR, "h");
}

function pair(elapsed: number, big: number, bigUnit: string, small: number, smallUnit: string): string {
  const smalls = Math.round(elapsed / small);
  const perBig = big / small;
  const rest = smalls % perBig;
  const bigs = Math.floor(smalls / perBig);
  return rest === 0 ? `${bigs} ${bigUnit}` : `${bigs} ${bigUnit} ${rest} ${smallUnit}`;
}

/** `just now`, `5 minutes ago`, `yesterday`. */
export function formatRelative(then: Date, now: Date, locale = "en"): string {
  const distance = then.getTime() - now.getTime();
  const size = Math.abs(distance);
  if (size < 45 * SECOND) return "just now";
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const steps: [number, number, Intl.RelativeTimeFormatUnit][] = [
    [59.5 * MINUTE, MINUTE, "minute"],
    [23.5 * HOUR, HOUR, "hour"],
    [6.5 * DAY, DAY, "day"],
    [27 * DAY, 7 * DAY, "week"],
    [360 * DAY, 30.44 * DAY, "month"],
  ];
  for (const [below, unit, name] of steps) {
    if (size < below) return format.format(Math.round(distance / unit), name);
  }
  return format.format(Math.round(distance / (365.25 * DAY)), "year");
}

/** A moment in the reader's own time zone, to the second. */
export function formatMoment(moment: Date, locale?: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" }).format(moment);
}

/** Reads a position in a link: `90`, `90s`, `1m30s`, `1h2m3s`, `1:30`, `1:02:03`. Seconds; nothing if it is none of these. */
export function parseOffset(text: string): number | undefined {
  const clock = /^(?:(\d{1,3}):)?(\d{1,3}):(\d{2})$/.exec(text);
  if (clock) {
    return Number(clock[1] ?? 0) * 3600 + Number(clock[2]) * 60 + Number(clock[3]);
  }
  const units = /^(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,7})s?)?$/.exec(text);
  if (!units || text === "") return undefined;
  return Number(units[1] ?? 0) * 3600 + Number(units[2] ?? 0) * 60 + Number(units[3] ?? 0);
}

/** Writes a position for a link: `45s`, `1m30s`, `1h2m3s`. */
export function formatOffset(seconds: number): string {
  const total = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(total / 3600), "h"],
    [Math.floor((total % 3600) / 60), "m"],
    [total % 60, "s"],
  ];
  const text = parts
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount}${unit}`)
    .join("");
  return text || "0s";
}
