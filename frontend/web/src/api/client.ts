/** The site's own API. Paths are relative to the page, so the site may live under any prefix. */

import type {
  ApiError,
  BeginUploadRequest,
  BeginUploadResponse,
  FinishUploadRequest,
  FinishUploadResponse,
  SignPartsRequest,
  SignPartsResponse,
  VideoDetail,
  VideoList,
} from "../contracts/api";
import { browserPorts, type Retryable, type RetryPolicy, withRetry } from "../net/retry";

const TIMEOUT_MS = 20_000;
const READ_RETRIES: RetryPolicy = { attempts: 3, baseDelayMs: 400, maxDelayMs: 2_000 };

/** A call that did not succeed. `status` is 0 when no answer came. */
export class RequestError extends Error implements Retryable {
  override readonly name = "RequestError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }

  get retryable(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** One page of the catalogue, newest first. */
export function listVideos(
  query: { cursor?: string | undefined; limit?: number },
  signal?: AbortSignal,
): Promise<VideoList> {
  const parameters = new URLSearchParams();
  if (query.cursor) parameters.set("cursor", query.cursor);
  if (query.limit) parameters.set("limit", String(query.limit));
  const suffix = parameters.size > 0 ? `?${parameters}` : "";
  return read<VideoList>(`api/videos${suffix}`, signal);
}

/** One video, with the states of its run while it is not READY. */
export function getVideo(videoId: string, signal?: AbortSignal): Promise<VideoDetail> {
  return read<VideoDetail>(`api/videos/${encodeURIComponent(videoId)}`, signal);
}

/** The calls of a multipart upload; all need the upload key. */
export interface UploadApi {
  begin(request: BeginUploadRequest, signal: AbortSignal): Promise<BeginUploadResponse>;
  signParts(request: SignPartsRequest, signal: AbortSignal): Promise<SignPartsResponse>;
  finish(request: FinishUploadRequest, signal: AbortSignal): Promise<FinishUploadResponse>;
}

/** The upload calls, with the key that `key()` has at the time of each. */
export function uploadApi(key: () => string): UploadApi {
  const post = <T>(path: string, body: unknown, signal: AbortSignal) =>
    send<T>(
      path,
      {
        method: "POST",
        headers: { "content-type": "application/json", "x-upload-key": key() },
        body: JSON.stringify(body),
      },
      signal,
    );
  return {
    begin: (request, signal) => post("api/uploads", request, signal),
    signParts: (request, signal) => post("api/uploads/parts", request, signal),
    finish: (request, signal) => post("api/uploads/finish", request, signal),
  };
}

function read<T>(path: string, signal?: AbortSignal): Promise<T> {
  return withRetry(() => send<T>(path, { method: "GET" }, signal), READ_RETRIES, browserPorts, signal);
}

async function send<T>(path: string, init: RequestInit, signal?: AbortSignal): Promise<T> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(new URL(path, document.baseURI), {
      ...init,
      headers: { accept: "application/json", ...init.headers },
      signal: either,
    });
    body = await readJson(response);
  } catch (error) {
    if (signal?.aborted) throw error;
    const words = timeout.aborted ? "The server did not answer in time." : "The server cannot be reached.";
    throw new RequestError(0, timeout.aborted ? "Timeout" : "Unreachable", words);
  }
  if (!response.ok) throw failure(response.status, body);
  if (body === undefined) {
    throw new RequestError(response.status, "BadResponse", "The server answered with something that is not JSON.");
  }
  return body as T;
}

async function readJson(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function failure(status: number, body: unknown): RequestError {
  const { code, message } = (body ?? {}) as Partial<ApiError>;
  if (typeof code === "string" && typeof message === "string") return new RequestError(status, code, message);
  return new RequestError(status, `Http${status}`, `The server answered with status ${status}.`);
}
