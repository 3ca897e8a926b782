/** The edge, the site's API and the storage, as far as the pages need them. */

import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import type {
  BeginUploadRequest,
  FinishUploadRequest,
  SignPartsRequest,
  Video,
  VideoDetail,
} from "../../../src/contracts/api";
import { media } from "./media";
import { readBody, type Running, sendFile, sendJson, serve } from "./server";
import { processingVideo, readyVideo } from "./videos";

const DIST = join(import.meta.dirname, "../../../dist/site");
const PART_SIZE = 256 * 1024;

interface Upload {
  key: string;
  request: BeginUploadRequest;
  parts: Map<number, Buffer>;
}

/** What a test sees and steers. */
export class Site {
  videos: Video[] = [];
  /** Answers for single videos, one after the other; the last one stays. */
  details = new Map<string, VideoDetail[]>();
  uploadKey = "correct horse";
  uploads = new Map<string, Upload>();
  finished: { title: string | null | undefined; body: Buffer }[] = [];
  /** Parts that the storage refuses next with 503. */
  failParts = 0;
  /** While set, PUTs of parts wait for it. */
  hold: Promise<void> | undefined;
  /** Answers to lists that are refused next with 500. */
  failLists = 0;
  streamsFail = false;

  #site: Running | undefined;
  #storage: Running | undefined;

  get origin(): string {
    return this.#site?.origin ?? "";
  }

  async start(): Promise<void> {
    media();
    this.#storage = await serve((request, response, url) => this.#store(request, response, url));
    this.#site = await serve((request, response, url) => this.#answer(request, response, url));
  }

  async stop(): Promise<void> {
    await this.#site?.close();
    await this.#storage?.close();
  }

  get #policy(): string {
    return [
      "default-src 'self'",
      `connect-src 'self' ${this.#storage?.origin}`,
      "media-src 'self' blob:",
      "worker-src 'self' blob:",
      "object-src 'none'",
      "base-uri 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
    ].join("; ");
  }

  async #answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const { pathname } = url;
    if (pathname.startsWith("/api/")) return this.#api(request, response, url);
    if (pathname.startsWith("/v/")) {
      if (this.streamsFail) return void response.writeHead(404).end();
      return sendFile(response, media(), pathname.slice(pathname.lastIndexOf("/")));
    }
    if (pathname.startsWith("/media/")) return sendFile(response, media(), pathname.slice(pathname.lastIndexOf("/")));
    const page = pathname === "/" ? "/index.html" : pathname;
    sendFile(response, DIST, page, { "content-security-policy": this.#policy, "x-content-type-options": "nosniff" });
  }

  async #api(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const path = url.pathname.slice("/api/".length);
    if (request.method === "GET" && path === "videos") return this.#list(response, url);
    if (request.method === "GET" && path.startsWith("videos/"))
      return this.#detail(response, path.slice("videos/".length));
    if (request.headers["x-upload-key"] !== this.uploadKey) {
      return sendJson(response, 401, { code: "UploadKeyRequired", message: "Uploading needs the upload key." });
    }
    const body: unknown = JSON.parse((await readBody(request)).toString());
    if (path === "uploads") return this.#begin(response, body as BeginUploadRequest);
    if (path === "uploads/parts") return this.#sign(response, body as SignPartsRequest);
    if (path === "uploads/finish") return this.#finish(response, body as FinishUploadRequest);
    sendJson(response, 404, { code: "NotFound", message: "There is no such address." });
  }

  #list(response: ServerResponse, url: URL): void {
    if (this.failLists > 0) {
      this.failLists -= 1;
      return sendJson(response, 500, { code: "Internal", message: "The table cannot be read." });
    }
    const from = Number(url.searchParams.get("cursor") ?? 0);
    const limit = Number(url.searchParams.get("limit") ?? 20);
    const videos = this.videos.slice(from, from + limit);
    const more = from + limit < this.videos.length;
    sendJson(response, 200, { videos, ...(more ? { nextCursor: String(from + limit) } : {}) });
  }

  #detail(response: ServerResponse, id: string): void {
    const queue = this.details.get(id);
    const detail = queue && queue.length > 1 ? queue.shift() : queue?.[0];
    const video = detail?.video ?? this.videos.find((row) => row.videoId === id);
    if (!video) return sendJson(response, 404, { code: "NotFound", message: "There is no such video." });
    sendJson(response, 200, detail ?? { video });
  }

  #begin(response: ServerResponse, request: BeginUploadRequest): void {
    const uploadId = `upload-${this.uploads.size + 1}`;
    this.uploads.set(uploadId, { key: `uploads/r/${request.filename}`, request, parts: new Map() });
    sendJson(response, 200, { uploadId, key: `uploads/r/${request.filename}`, partSizeBytes: PART_SIZE });
  }

  #sign(response: ServerResponse, { uploadId, partNumbers }: SignPartsRequest): void {
    const upload = this.uploads.get(uploadId);
    if (!upload) return sendJson(response, 404, { code: "NotFound", message: "There is no such upload." });
    const parts = partNumbers.map((partNumber) => ({
      partNumber,
      url: `${this.#storage?.origin}/bucket/${uploadId}?partNumber=${partNumber}&X-Amz-Signature=s`,
    }));
    const uploaded = [...upload.parts].map(([partNumber, body]) => ({ partNumber, etag: etag(body) }));
    sendJson(response, 200, { parts, uploaded });
  }

  #finish(response: ServerResponse, { uploadId, parts }: FinishUploadRequest): void {
    const upload = this.uploads.get(uploadId);
    if (!upload) return sendJson(response, 404, { code: "NotFound", message: "There is no such upload." });
    const bodies = parts.map(({ partNumber, etag: tag }) => {
      const body = upload.parts.get(partNumber);
      if (!body || etag(body) !== tag) throw new Error(`part ${partNumber} is not what was sent`);
      return body;
    });
    this.finished.push({ title: upload.request.title, body: Buffer.concat(bodies) });
    this.uploads.delete(uploadId);
    sendJson(response, 200, { videoId: this.videos[0]?.videoId ?? processingVideo(1, 0).videoId });
  }

  async #store(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const cors = { "access-control-allow-origin": this.origin, "access-control-allow-methods": "PUT" };
    if (request.method === "OPTIONS") {
      response.writeHead(204, { ...cors, "access-control-allow-headers": "content-type" }).end();
      return;
    }
    const body = await readBody(request);
    await this.hold;
    if (this.failParts > 0) {
      this.failParts -= 1;
      response.writeHead(503, cors).end("SlowDown");
      return;
    }
    const upload = this.uploads.get(url.pathname.slice("/bucket/".length));
    upload?.parts.set(Number(url.searchParams.get("partNumber")), body);
    // No ETag header is exposed on purpose: the page must not depend on it.
    response.writeHead(upload ? 200 : 404, cors).end();
  }
}

function etag(body: Buffer): string {
  return createHash("md5").update(body).digest("hex");
}

/** A catalogue as it may look on an ordinary day. */
export function ordinaryDay(): Video[] {
  return [
    processingVideo(1, 42, { title: "Harbour at dawn, second take" }),
    readyVideo(2, { title: "How the lock gates work" }),
    readyVideo(3, {
      title:
        "A rather long title that goes on and on until it cannot possibly fit into the two lines that a card has for it",
    }),
    { ...processingVideo(4, 0, { title: "Interview with the harbour master" }), progress: null },
    readyVideo(5, { title: "<img src=x onerror=alert(1)> & other “titles” 🎬" }),
    {
      ...readyVideo(6, { title: "Radio play" }),
      status: "FAILED",
      poster: null,
      storyboard: null,
      error: {
        code: "Vod.UnsupportedSource",
        message: "the upload has no video track; it holds one AAC audio track",
        state: "ProbeSource",
      },
    },
    ...Array.from({ length: 12 }, (_, index) => readyVideo(index + 7)),
  ];
}
