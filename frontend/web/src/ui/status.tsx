/** How the status of a state, a run or a video looks: an icon, a word and a colour, never the colour alone. */

import { Icon, type IconName } from "./icon";

/** Every status that is shown anywhere. */
export type Look = "idle" | "running" | "succeeded" | "failed" | "caught" | "aborted" | "timed-out";

/** The words and icons of the looks. */
export const LOOKS: Record<Look, { icon: IconName; words: string }> = {
  idle: { icon: "minus", words: "Not started" },
  running: { icon: "spinner", words: "Running" },
  succeeded: { icon: "check", words: "Succeeded" },
  failed: { icon: "cross", words: "Failed" },
  caught: { icon: "warning", words: "Caught error" },
  aborted: { icon: "ban", words: "Aborted" },
  "timed-out": { icon: "clock", words: "Timed out" },
};

/** A status as a pill. */
export function Status({ look, words }: { look: Look; words?: string }) {
  const { icon, words: usual } = LOOKS[look];
  return (
    <span class={`status ${look}`}>
      <Icon name={icon} class={look === "running" ? "spin" : ""} />
      {words ?? usual}
    </span>
  );
}
