/** The present, for everything that shows how long something takes. */

import { useEffect, useState } from "preact/hooks";

/** Milliseconds since 1970; moves on every `intervalMs` while that is given. */
export function useNow(intervalMs: number | undefined): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (intervalMs === undefined) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), intervalMs);
    return () => clearInterval(timer);
  }, [intervalMs]);
  return now;
}
