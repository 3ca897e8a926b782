/** Cutting a file into parts. Pure. */

import type { UploadedPart } from "../contracts/api";

/** S3 takes no more parts: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
export const PARTS_MAX = 10_000;

/** A piece of the file: the bytes from `start` up to, not including, `end`. */
export interface Part {
  /** From 1. */
  number: number;
  start: number;
  end: number;
}

/** The parts of a file, in order. An empty file is one empty part. */
export function planParts(sizeBytes: number, partSizeBytes: number): Part[] {
  if (!Number.isSafeInteger(partSizeBytes) || partSizeBytes < 1) throw new RangeError("a part has at least one byte");
  const amount = Math.max(1, Math.ceil(sizeBytes / partSizeBytes));
  if (amount > PARTS_MAX) throw new RangeError(`the file would have ${amount} parts; S3 takes ${PARTS_MAX}`);
  return Array.from({ length: amount }, (_, index) => ({
    number: index + 1,
    start: index * partSizeBytes,
    end: Math.min(sizeBytes, (index + 1) * partSizeBytes),
  }));
}

/** The parts that S3 does not have yet. */
export function missingParts(plan: readonly Part[], uploaded: readonly UploadedPart[]): Part[] {
  const there = new Set(uploaded.map((part) => part.partNumber));
  return plan.filter((part) => !there.has(part.number));
}

/** Bytes of the parts that S3 has. */
export function uploadedBytes(plan: readonly Part[], uploaded: readonly UploadedPart[]): number {
  const there = new Set(uploaded.map((part) => part.partNumber));
  return plan.filter((part) => there.has(part.number)).reduce((sum, part) => sum + part.end - part.start, 0);
}
