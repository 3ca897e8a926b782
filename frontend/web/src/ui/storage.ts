/** Storage that may be refused (private windows, full disks): then nothing is remembered, and nothing breaks. */

type Area = "local" | "session";

function area(which: Area): Storage {
  return which === "local" ? localStorage : sessionStorage;
}

/** What was remembered under the name. */
export function recall(name: string, which: Area = "local"): string | undefined {
  try {
    return area(which).getItem(name) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Remembers; with `undefined`, forgets. */
export function remember(name: string, value: string | undefined, which: Area = "local"): void {
  try {
    if (value === undefined) area(which).removeItem(name);
    else area(which).setItem(name, value);
  } catch {
    // Refused: see above.
  }
}
