/** Asking again and again, politely. */

import { useEffect, useRef } from "preact/hooks";

/**
 * Calls `ask` every `intervalMs` after the last answer, while the page is visible; at once when it becomes visible again.
 * `undefined` as the interval stops it. `ask` handles its own errors; a rejection only means: later.
 */
export function usePolling(ask: (signal: AbortSignal) => Promise<void>, intervalMs: number | undefined): void {
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    if (intervalMs === undefined) return undefined;
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let asking = false;
    const wait = () => {
      clearTimeout(timer);
      if (!controller.signal.aborted && !document.hidden) timer = setTimeout(turn, intervalMs);
    };
    const turn = () => {
      if (asking) return;
      asking = true;
      latest
        .current(controller.signal)
        .catch(() => undefined)
        .finally(() => {
          asking = false;
          wait();
        });
    };
    const onVisibility = () => {
      clearTimeout(timer);
      if (!document.hidden) turn();
    };
    document.addEventListener("visibilitychange", onVisibility);
    wait();
    return () => {
      clearTimeout(timer);
      controller.abort();
      document.removeEventListener("visibilitychange", onVisibility);
    };
  }, [intervalMs]);
}
