/** Tells screen readers what changed on the page. One polite region; words that come in quick succession are told together. */

import { useEffect, useState } from "preact/hooks";

const PAUSE_MS = 600;

let waiting: string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let show: (words: string) => void = () => undefined;

/** Says the words as soon as the reader pauses. */
export function announce(words: string): void {
  if (waiting.at(-1) === words) return;
  waiting.push(words);
  timer ??= setTimeout(() => {
    show(waiting.join(". "));
    waiting = [];
    timer = undefined;
  }, PAUSE_MS);
}

/** The region itself; once a page. */
export function Announcer() {
  const [words, setWords] = useState("");
  useEffect(() => {
    show = setWords;
    return () => {
      show = () => undefined;
    };
  }, []);
  return (
    <div class="visually-hidden" role="status" aria-live="polite">
      {words}
    </div>
  );
}
