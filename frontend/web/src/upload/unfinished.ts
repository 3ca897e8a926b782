/**
 * Uploads that were begun and not finished, remembered across reloads. The browser gives the file itself away with the page:
 * when the same file is chosen again, its upload goes on from the parts that S3 has.
 */

import { recall, remember } from "../ui/storage";

const NAME = "vodline.unfinished-uploads";
/** The bucket's lifecycle rule removes what is older. */
const KEPT_MS = 7 * 24 * 60 * 60 * 1000;
const UPLOADS_MAX = 50;

/** What tells one file from another without reading it. */
export interface FileFacts {
  name: string;
  size: number;
  lastModified: number;
}

/** An upload that can go on. */
export interface Unfinished {
  file: FileFacts;
  title: string;
  uploadId: string;
  key: string;
  partSizeBytes: number;
  /** Milliseconds since 1970. */
  begunAt: number;
}

function same(a: FileFacts, b: FileFacts): boolean {
  return a.name === b.name && a.size === b.size && a.lastModified === b.lastModified;
}

/** Reads what storage holds, without what has expired or is not understood. */
export function parseUnfinished(text: string | undefined, nowMs: number): Unfinished[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    if (!Array.isArray(value)) return [];
    return (value as Partial<Unfinished>[]).filter(
      (upload): upload is Unfinished =>
        typeof upload?.uploadId === "string" &&
        typeof upload.key === "string" &&
        typeof upload.title === "string" &&
        Number.isSafeInteger(upload.partSizeBytes) &&
        typeof upload.file?.name === "string" &&
        typeof upload.begunAt === "number" &&
        nowMs - upload.begunAt < KEPT_MS,
    );
  } catch {
    return [];
  }
}

/** All that can go on. */
export function unfinishedUploads(): Unfinished[] {
  return parseUnfinished(recall(NAME), Date.now());
}

/** The begun upload of a file. */
export function unfinishedOf(file: FileFacts): Unfinished | undefined {
  return unfinishedUploads().find((upload) => same(upload.file, file));
}

/** Remembers a begun upload. */
export function rememberUnfinished(upload: Unfinished): void {
  const others = unfinishedUploads().filter((other) => !same(other.file, upload.file));
  remember(NAME, JSON.stringify([...others, upload].slice(-UPLOADS_MAX)));
}

/** Forgets an upload that is finished or given up. */
export function forgetUnfinished(uploadId: string): void {
  remember(NAME, JSON.stringify(unfinishedUploads().filter((upload) => upload.uploadId !== uploadId)));
}
