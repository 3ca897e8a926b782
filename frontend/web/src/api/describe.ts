/** What a person reads of an error. */

import { RequestError } from "./client";

/** One sentence or two; never a stack. */
export function describe(error: unknown): string {
  if (error instanceof RequestError) return error.message;
  if (error instanceof Error && error.message) return error.message;
  return "Something went wrong.";
}
