/** A card that says something went wrong, and what can be done. */

import type { ComponentChildren } from "preact";
import { Icon } from "./icon";

interface NoticeProps {
  title: string;
  children?: ComponentChildren;
  look?: "failed" | "caught" | "idle";
  /** Offers to try again. */
  onRetry?: () => void;
}

/** The card; failures are announced as alerts. */
export function Notice({ title, children, look = "failed", onRetry }: NoticeProps) {
  return (
    <div class={`notice ${look}`} role={look === "failed" ? "alert" : undefined}>
      <Icon name="warning" />
      <div>
        <h2>{title}</h2>
        {children}
        {onRetry && (
          <button type="button" class="button" onClick={onRetry}>
            <Icon name="redo" /> Try again
          </button>
        )}
      </div>
    </div>
  );
}
