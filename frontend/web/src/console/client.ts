/** Calls Step Functions: JSON 1.0, signed with Signature Version 4. */

import { AwsClient } from "aws4fetch";
import { browserPorts, type Retryable, type RetryPolicy, withRetry } from "../net/retry";
import { type ConsoleConfig, loadConfig } from "./config";
import type { Call } from "./states-api";

const TIMEOUT_MS = 20_000;
const READ_RETRIES: RetryPolicy = { attempts: 3, baseDelayMs: 300, maxDelayMs: 2_000 };
const ONCE: RetryPolicy = { attempts: 1, baseDelayMs: 0, maxDelayMs: 0 };

/** A call that Step Functions refused, or that got no answer. */
export class StatesError extends Error implements Retryable {
  override readonly name = "StatesError";

  constructor(
    /** AWS's name of the error, such as `ExecutionDoesNotExist`. */
    readonly code: string,
    message: string,
    /** 0 when no answer came. */
    readonly status: number,
  ) {
    super(message);
  }

  get retryable(): boolean {
    return this.status === 0 || this.status >= 500 || this.code.includes("Throttling");
  }
}

/** A caller for the configured endpoint. */
export function caller(config: ConsoleConfig): Call {
  const { accessKeyId, secretAccessKey, sessionToken, region } = config;
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    ...(sessionToken ? { sessionToken } : {}),
    region,
    service: "states",
    // Retries are our own: only for reads, and bounded.
    retries: 0,
  });
  const endpoint = new URL(config.endpoint, document.baseURI).href;

  const once = async (operation: string, input: unknown, signal?: AbortSignal): Promise<unknown> => {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    let status = 0;
    let body: unknown;
    try {
      const response = await client.fetch(endpoint, {
        method: "POST",
        headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": `AWSStepFunctions.${operation}` },
        body: JSON.stringify(input),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      status = response.status;
      body = await response.json();
    } catch (error) {
      if (signal?.aborted) throw error;
      if (status !== 0) throw new StatesError(`Http${status}`, "The answer is not JSON.", status);
      throw new StatesError("Unreachable", "Step Functions cannot be reached. Is the local home up?", 0);
    }
    if (status >= 200 && status < 300) return body;
    throw errorOf(body, status);
  };

  return (async (operation: string, input: unknown, signal?: AbortSignal) => {
    const isRead = /^(List|Describe|Get)/.test(operation);
    return withRetry(() => once(operation, input, signal), isRead ? READ_RETRIES : ONCE, browserPorts, signal);
  }) as Call;
}

/** `__type` may be qualified (`com.amazonaws...#Name`), and the words are under `message` or `Message`. */
export function errorOf(body: unknown, status: number): StatesError {
  const { __type, message, Message } = (body ?? {}) as { __type?: string; message?: string; Message?: string };
  const code = __type?.split("#").at(-1) || `Http${status}`;
  return new StatesError(code, message ?? Message ?? `Step Functions answered with status ${status}.`, status);
}

let shared: Promise<Call> | undefined;

/** The page's caller; the configuration is read once. */
export function statesApi(): Promise<Call> {
  shared ??= loadConfig().then(caller);
  shared.catch(() => {
    shared = undefined;
  });
  return shared;
}
