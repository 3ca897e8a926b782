/** Why the execution failed: what most who open the page want to know. */

import { Notice } from "../../ui/notice";
import type { Visit } from "../history";
import type { Execution } from "../states-api";
import { causeWords } from "../words";
import { JsonView } from "../json-view";

interface ErrorCardProps {
  execution: Execution;
  /** The state that failed last. */
  failed: Visit | undefined;
  onSelect: (name: string) => void;
}

const TITLES: Partial<Record<Execution["status"], string>> = {
  FAILED: "The execution failed",
  TIMED_OUT: "The execution timed out",
  ABORTED: "The execution was stopped",
};

/** The card, for executions that ended without success. */
export function ErrorCard({ execution, failed, onSelect }: ErrorCardProps) {
  const title = TITLES[execution.status];
  if (!title) return null;
  const error = execution.error ?? failed?.error;
  const cause = execution.cause ?? failed?.cause;
  const words = cause === undefined ? undefined : causeWords(cause);
  return (
    <Notice
      title={failed ? `${title} in ${failed.name}` : title}
      look={execution.status === "ABORTED" ? "idle" : "failed"}
    >
      {error && (
        <p>
          <strong class="mono">{error}</strong>
        </p>
      )}
      {words && <p class="cause">{words}</p>}
      {cause !== undefined && words !== cause && (
        <details>
          <summary>The whole cause</summary>
          <JsonView label="Cause" text={cause} />
        </details>
      )}
      {failed && (
        <button type="button" class="button" onClick={() => onSelect(failed.name)}>
          Show {failed.name}
        </button>
      )}
    </Notice>
  );
}
