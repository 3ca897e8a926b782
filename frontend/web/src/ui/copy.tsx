/** Copying to the clipboard, with a word that it happened. */

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { announce } from "./announce";
import { Icon, type IconName } from "./icon";

const SHOWN_MS = 2_000;

interface CopyButtonProps {
  /** Called at the time of the click. */
  text: () => string;
  children: ComponentChildren;
  icon?: IconName;
  class?: string;
}

/** A button that copies. */
export function CopyButton({ text, children, icon = "copy", class: extra = "" }: CopyButtonProps) {
  const [outcome, setOutcome] = useState<"copied" | "refused">();
  useEffect(() => {
    if (!outcome) return undefined;
    const timer = setTimeout(() => setOutcome(undefined), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setOutcome("copied");
      announce("Copied");
    } catch {
      setOutcome("refused");
      announce("The browser refused to copy");
    }
  };
  return (
    <button type="button" class={`button ${extra}`} onClick={() => void copy()}>
      <Icon name={outcome === "copied" ? "check" : icon} />
      {outcome === "copied" ? "Copied" : outcome === "refused" ? "Copying was refused" : children}
    </button>
  );
}
