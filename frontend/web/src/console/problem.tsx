/** What is shown when the console cannot do what it should. */

import { Notice } from "../ui/notice";
import { StatesError } from "./client";

/** The words of an error, with AWS's name for it. */
export function problemWords(error: unknown): string {
  if (error instanceof StatesError) return error.message;
  return error instanceof Error ? error.message : "Something went wrong.";
}

/** The card. */
export function Problem({ title, error, onRetry }: { title: string; error: unknown; onRetry?: () => void }) {
  return (
    <Notice title={title} {...(onRetry ? { onRetry } : {})}>
      <p>{problemWords(error)}</p>
      {error instanceof StatesError && (
        <p>
          <code>{error.code}</code>
        </p>
      )}
    </Notice>
  );
}
