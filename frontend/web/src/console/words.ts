/** How Step Functions' terms look in the console. */

import type { Look } from "../ui/status";
import type { ExecutionStatus } from "./states-api";

/** Every status of an execution, as the filter lists them. */
export const EXECUTION_STATUSES: readonly ExecutionStatus[] = [
  "RUNNING",
  "SUCCEEDED",
  "FAILED",
  "TIMED_OUT",
  "ABORTED",
  "PENDING_REDRIVE",
];

/** Status of an execution as a look. */
export const EXECUTION_LOOKS: Record<ExecutionStatus, { look: Look; words: string }> = {
  RUNNING: { look: "running", words: "Running" },
  SUCCEEDED: { look: "succeeded", words: "Succeeded" },
  FAILED: { look: "failed", words: "Failed" },
  TIMED_OUT: { look: "timed-out", words: "Timed out" },
  ABORTED: { look: "aborted", words: "Aborted" },
  PENDING_REDRIVE: { look: "caught", words: "Pending redrive" },
};

/** The name at the end of an ARN. */
export function nameOfArn(arn: string): string {
  return arn.split(":").at(-1) ?? arn;
}

/** Address of an execution's page, relative to the other pages of the console. */
export function executionAddress(executionArn: string): string {
  return `./execution.html?${new URLSearchParams({ arn: executionArn })}`;
}

/** Address of a state machine's executions. */
export function machineAddress(stateMachineArn: string): string {
  return `./executions.html?${new URLSearchParams({ machine: stateMachineArn })}`;
}

/** A cause as a person reads it: Lambda wraps the words of an error in JSON. */
export function causeWords(cause: string): string {
  try {
    const { errorMessage } = JSON.parse(cause) as { errorMessage?: unknown };
    return typeof errorMessage === "string" && errorMessage ? errorMessage : cause;
  } catch {
    return cause;
  }
}
