/** One file on its way into the bucket: begin, parts, finish; with pause, resume and cancel. */

import { RequestError, type UploadApi } from "../api/client";
import type { UploadedPart } from "../contracts/api";
import { type RetryPolicy, type RetryPorts, withRetry } from "../net/retry";
import { missingParts, type Part, planParts, uploadedBytes } from "./plan";
import type { PutPart } from "./put";
import { SpeedMeter } from "./speed";
import type { FileFacts, Unfinished } from "./unfinished";

const PARALLEL_PARTS = 3;
const RETRIES: RetryPolicy = { attempts: 6, baseDelayMs: 1_000, maxDelayMs: 20_000 };

/** Where a transfer stands. `interrupted` can go on; `error` says what stopped it. */
export type TransferStatus = "waiting" | "sending" | "paused" | "interrupted" | "finishing" | "done" | "cancelled";

/** What is shown of a transfer. */
export interface TransferState {
  status: TransferStatus;
  sentBytes: number;
  bytesPerSecond: number | undefined;
  remainingMs: number | undefined;
  /** Once `done`. */
  videoId: string | undefined;
  error: Error | undefined;
}

/** What a transfer needs from outside. */
export interface TransferPorts extends RetryPorts {
  api: UploadApi;
  put: PutPart;
  now(): number;
  /** Remembers a begun upload, so that it can go on after a reload. */
  remember(upload: Unfinished): void;
  forget(uploadId: string): void;
  /** The begun upload of this file, if there is one. */
  recall(file: FileFacts): Unfinished | undefined;
}

/** What is sent. */
export type TransferFile = Blob & { name: string; lastModified: number };

/** The transfer. `changed` is called after every change of `state`. */
export class Transfer {
  state: TransferState = {
    status: "waiting",
    sentBytes: 0,
    bytesPerSecond: undefined,
    remainingMs: undefined,
    videoId: undefined,
    error: undefined,
  };

  title: string;
  readonly #speed = new SpeedMeter();
  #controller = new AbortController();
  #uploadId: string | undefined;

  constructor(
    readonly file: TransferFile,
    title: string,
    private readonly ports: TransferPorts,
    private readonly changed: () => void,
  ) {
    this.title = title;
  }

  /** Starts, or goes on after a pause or an interruption. Resolves when the transfer rests again. */
  async run(): Promise<void> {
    if (!["waiting", "paused", "interrupted"].includes(this.state.status)) return;
    const controller = new AbortController();
    this.#controller = controller;
    this.#speed.reset();
    this.#set({ status: "sending", error: undefined, bytesPerSecond: undefined, remainingMs: undefined });
    try {
      const videoId = await this.#send(controller.signal);
      this.#set({ status: "done", videoId, sentBytes: this.file.size });
    } catch (error) {
      // Pause and cancel have already said what the status is.
      if (controller.signal.aborted) return;
      controller.abort();
      this.#set({ status: "interrupted", error: error instanceof Error ? error : new Error(String(error)) });
    }
  }

  /** Stops sending; what S3 has stays there. */
  pause(): void {
    if (this.state.status !== "sending") return;
    this.#set({ status: "paused" });
    this.#controller.abort(new DOMException("paused", "AbortError"));
  }

  /** Gives up. The bucket's lifecycle rule removes the parts that S3 has. */
  cancel(): void {
    if (this.state.status === "done" || this.state.status === "finishing") return;
    this.#set({ status: "cancelled" });
    this.#controller.abort(new DOMException("cancelled", "AbortError"));
    if (this.#uploadId) this.ports.forget(this.#uploadId);
  }

  async #send(signal: AbortSignal): Promise<string> {
    const { upload, uploaded } = await this.#beginOrResume(signal);
    const plan = planParts(this.file.size, upload.partSizeBytes);
    await this.#sendParts(upload, plan, uploaded, signal);
    this.#set({ status: "finishing", sentBytes: this.file.size, remainingMs: undefined });
    const parts = await this.#allParts(upload, plan, signal);
    const { videoId } = await this.#retry(
      () => this.ports.api.finish({ uploadId: upload.uploadId, key: upload.key, parts }, signal),
      signal,
    );
    this.ports.forget(upload.uploadId);
    return videoId;
  }

  async #beginOrResume(signal: AbortSignal): Promise<{ upload: Unfinished; uploaded: UploadedPart[] }> {
    const { ports, file } = this;
    const facts = { name: file.name, size: file.size, lastModified: file.lastModified };
    const known = ports.recall(facts);
    if (known) {
      this.#uploadId = known.uploadId;
      try {
        return { upload: known, uploaded: await this.#uploadedParts(known, signal) };
      } catch (error) {
        // Finished elsewhere, or removed by the lifecycle rule: begin anew.
        if (!(error instanceof RequestError && error.status === 404)) throw error;
        ports.forget(known.uploadId);
      }
    }
    const begun = await this.#retry(
      () =>
        ports.api.begin(
          { filename: file.name, sizeBytes: file.size, contentType: file.type || null, title: this.title || null },
          signal,
        ),
      signal,
    );
    const upload = { ...begun, file: facts, title: this.title, begunAt: ports.now() };
    this.#uploadId = upload.uploadId;
    ports.remember(upload);
    return { upload, uploaded: [] };
  }

  /** Asks S3, by way of the API, which parts it has; so their ETags need not be readable across origins. */
  async #uploadedParts(upload: Unfinished, signal: AbortSignal): Promise<UploadedPart[]> {
    const request = { uploadId: upload.uploadId, key: upload.key, partNumbers: [] };
    return (await this.#retry(() => this.ports.api.signParts(request, signal), signal)).uploaded;
  }

  async #allParts(upload: Unfinished, plan: readonly Part[], signal: AbortSignal): Promise<UploadedPart[]> {
    const uploaded = await this.#uploadedParts(upload, signal);
    const lost = missingParts(plan, uploaded);
    if (lost.length > 0) throw new Error(`The storage lost ${lost.length} of ${plan.length} parts. Try again.`);
    return [...uploaded].sort((a, b) => a.partNumber - b.partNumber);
  }

  async #sendParts(
    upload: Unfinished,
    plan: readonly Part[],
    uploaded: UploadedPart[],
    signal: AbortSignal,
  ): Promise<void> {
    const waiting = missingParts(plan, uploaded);
    let arrived = uploadedBytes(plan, uploaded);
    const underWay = new Map<number, number>();
    const report = () => {
      if (signal.aborted) return;
      const sentBytes = arrived + [...underWay.values()].reduce((sum, bytes) => sum + bytes, 0);
      this.#speed.record(sentBytes, this.ports.now());
      this.#set({
        sentBytes,
        bytesPerSecond: this.#speed.bytesPerSecond(),
        remainingMs: this.#speed.remainingMs(this.file.size - sentBytes),
      });
    };
    report();
    const work = async () => {
      for (let part = waiting.shift(); part; part = waiting.shift()) {
        signal.throwIfAborted();
        await this.#sendPart(upload, part, signal, (bytes) => {
          underWay.set(part.number, bytes);
          report();
        });
        underWay.delete(part.number);
        arrived += part.end - part.start;
        report();
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_PARTS }, work));
  }

  /** Signs just before sending: a signature made for a whole file would expire on a slow line. */
  async #sendPart(
    upload: Unfinished,
    part: Part,
    signal: AbortSignal,
    onProgress: (bytes: number) => void,
  ): Promise<void> {
    await this.#retry(async () => {
      onProgress(0);
      const { uploadId, key } = upload;
      const { parts } = await this.ports.api.signParts({ uploadId, key, partNumbers: [part.number] }, signal);
      const url = parts.find((signed) => signed.partNumber === part.number)?.url;
      if (!url) throw new Error(`The server did not sign part ${part.number}.`);
      await this.ports.put(url, this.file.slice(part.start, part.end), onProgress, signal);
    }, signal);
  }

  #retry<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return withRetry(attempt, RETRIES, this.ports, signal);
  }

  #set(change: Partial<TransferState>): void {
    this.state = { ...this.state, ...change };
    this.changed();
  }
}
