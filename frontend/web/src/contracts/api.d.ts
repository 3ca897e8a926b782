/* Generated from schemas/ by `npm run contracts`. Do not edit. */

export type VideoId = string;
export type VideoStatus = "PROCESSING" | "READY" | "FAILED";
export type StateStatus = "RUNNING" | "SUCCEEDED" | "FAILED";

export interface ApiError {
  code: string;
  message: string;
}
export interface BeginUploadRequest {
  contentType?: string | null;
  filename: string;
  sizeBytes: number;
  title?: string | null;
}
export interface BeginUploadResponse {
  key: string;
  partSizeBytes: number;
  uploadId: string;
}
export interface SignPartsRequest {
  key: string;
  partNumbers: number[];
  uploadId: string;
}
export interface SignPartsResponse {
  parts: SignedPart[];
  uploaded: UploadedPart[];
}
export interface SignedPart {
  partNumber: number;
  url: string;
}
export interface UploadedPart {
  etag: string;
  partNumber: number;
}
export interface FinishUploadRequest {
  key: string;
  parts: UploadedPart[];
  uploadId: string;
}
export interface FinishUploadResponse {
  videoId: VideoId;
}
export interface VideoList {
  nextCursor?: string | null;
  videos: Video[];
}
export interface VideoDetail {
  run?: RunProgress | null;
  video: Video;
}
export interface RunProgress {
  states: StateProgress[];
  status: string;
}
export interface StateProgress {
  enteredAt: string;
  exitedAt?: string | null;
  name: string;
  status: StateStatus;
}
export interface Video {
  costEstimate?: CostEstimate | null;
  createdAt: string;
  domainName?: string | null;
  durationMs?: number | null;
  endpoint?: string | null;
  error?: Failure | null;
  executionArn: string;
  facts?: SourceFacts | null;
  filename: string;
  playback?: PlaybackPaths | null;
  poster?: string | null;
  progress?: Progress | null;
  readyAt?: string | null;
  receipt?: Receipt | null;
  renditions?: Rendition[];
  source: Source;
  status: VideoStatus;
  storyboard?: string | null;
  title: string;
  updatedAt: string;
  videoId: VideoId;
}
export interface CostEstimate {
  normalisedMinutes: number;
  usd: number;
}
export interface Failure {
  code: string;
  message: string;
  state?: string | null;
}
export interface SourceFacts {
  audio: AudioTrack[];
  container: string;
  durationMs: number;
  video: VideoTrack;
}
export interface AudioTrack {
  channels: number;
  codec: string;
  language?: string | null;
  sampleRateHz: number;
}
export interface VideoTrack {
  codec: string;
  displayHeight: number;
  displayWidth: number;
  frameRate: number;
  rotationDegrees: number;
}
export interface PlaybackPaths {
  cmaf?: string | null;
  dash?: string | null;
  hls?: string | null;
  mp4?: string | null;
}
export interface Progress {
  percent: number;
  phase: string;
}
export interface Receipt {
  bytesFetched: number;
  masterPath: string;
  renditions: RenditionReceipt[];
  verifiedAt: string;
}
export interface RenditionReceipt {
  durationMs: number;
  firstSegmentBytes: number;
  lastSegmentBytes: number;
  playlistPath: string;
  resolution?: string | null;
  segments: number;
}
export interface Rendition {
  averageBitrateBps?: number | null;
  height: number;
  name: string;
  width: number;
}
export interface Source {
  bucket: string;
  etag: string;
  key: string;
  sizeBytes: number;
  versionId?: string | null;
}
