/* Generated from schemas/api by `npm run contracts`. Do not edit. */

/**
 * Identifies a video, and prefixes everything made of it. Derived from the object version it was uploaded as, so the same
 * event always means the same video, and two uploads never share one.
 */
export type VideoId = string;
/**
 * Where a video stands.
 */
export type VideoStatus = "PROCESSING" | "READY" | "FAILED";
/**
 * The transfer characteristics of a high dynamic range. Source: ITU-R BT.2100.
 */
export type Hdr = "pq" | "hlg";
/**
 * How a packaging configuration packages.
 */
export type PackagingFormat = "hls" | "dash" | "cmaf";
/**
 * Where a state stands.
 */
export type StateStatus = "RUNNING" | "SUCCEEDED" | "FAILED";

export interface Contracts {
  BeginUploadRequest: BeginUploadRequest;
  BeginUploadResponse: BeginUploadResponse;
  ApiError: ApiError;
  FinishUploadRequest: FinishUploadRequest;
  FinishUploadResponse: FinishUploadResponse;
  VideoDetail: VideoDetail;
  VideoList: VideoList;
  SignPartsRequest: SignPartsRequest;
  SignPartsResponse: SignPartsResponse;
}
/**
 * `POST /api/uploads`: begins a multipart upload. Needs the upload key in `x-upload-key`.
 */
export interface BeginUploadRequest {
  /**
   * The file's name; becomes the last part of the key.
   */
  filename: string;
  /**
   * Bytes.
   */
  sizeBytes: number;
  /**
   * The browser's idea of the type.
   */
  contentType?: string | null;
  /**
   * What to call the video.
   */
  title?: string | null;
}
/**
 * The begun upload.
 */
export interface BeginUploadResponse {
  /**
   * S3's id of the multipart upload.
   */
  uploadId: string;
  /**
   * The object's key.
   */
  key: string;
  /**
   * Size of every part but the last, in bytes.
   */
  partSizeBytes: number;
}
/**
 * Any answer that is not 2xx.
 */
export interface ApiError {
  /**
   * Stable, such as `NotFound`, `BadRequest`, `UploadKeyRequired`.
   */
  code: string;
  /**
   * What a person reads.
   */
  message: string;
}
/**
 * `POST /api/uploads/finish`.
 */
export interface FinishUploadRequest {
  /**
   * From [`BeginUploadResponse`].
   */
  uploadId: string;
  /**
   * From [`BeginUploadResponse`].
   */
  key: string;
  /**
   * All parts, in order.
   */
  parts: UploadedPart[];
}
/**
 * A part that S3 has.
 */
export interface UploadedPart {
  /**
   * 1 to 10,000.
   */
  partNumber: number;
  /**
   * As S3 answered it.
   */
  etag: string;
}
/**
 * The upload is an object now.
 */
export interface FinishUploadResponse {
  videoId: VideoId;
}
/**
 * `GET /api/videos/{videoId}`.
 */
export interface VideoDetail {
  video: Video;
  /**
   * The run's states, while the video is not READY.
   */
  run?: RunProgress | null;
}
/**
 * The row of a video. Times are RFC 3339 in UTC.
 */
export interface Video {
  videoId: VideoId;
  /**
   * What the uploader called it, or its file name without suffix.
   */
  title: string;
  /**
   * The last part of the object's key.
   */
  filename: string;
  status: VideoStatus;
  /**
   * How far the transcode is.
   */
  progress?: Progress | null;
  /**
   * When the upload was admitted.
   */
  createdAt: string;
  /**
   * When the row last changed.
   */
  updatedAt: string;
  /**
   * When it became READY.
   */
  readyAt?: string | null;
  source: Source;
  /**
   * What the probe found.
   */
  facts?: SourceFacts | null;
  /**
   * What the transcode costs on AWS.
   */
  costEstimate?: CostEstimate | null;
  /**
   * Milliseconds.
   */
  durationMs?: number | null;
  /**
   * Finished renditions, smallest first.
   */
  renditions?: Rendition[];
  /**
   * MediaPackage's egress URL of the HLS endpoint; closed to everyone but the distribution.
   */
  endpoint?: string | null;
  /**
   * The packaging group's egress host.
   */
  domainName?: string | null;
  /**
   * What a player opens.
   */
  playback?: PlaybackPaths | null;
  /**
   * Path of the poster image on the site.
   */
  poster?: string | null;
  /**
   * Path of the storyboard (WebVTT with `#xywh`) on the site.
   */
  storyboard?: string | null;
  /**
   * The proof that it plays.
   */
  receipt?: Receipt | null;
  /**
   * Why it failed.
   */
  error?: Failure | null;
  /**
   * The execution that published it, or tries to.
   */
  executionArn: string;
}
/**
 * How far the transcode is.
 */
export interface Progress {
  /**
   * MediaConvert's phase: `PROBING`, `TRANSCODING` or `UPLOADING`.
   */
  phase: string;
  /**
   * 0 to 100.
   */
  percent: number;
}
/**
 * The admitted upload: one version of one object.
 */
export interface Source {
  /**
   * The upload bucket.
   */
  bucket: string;
  /**
   * The object's key, exactly as stored: it may hold spaces, `+`, `%`, quotes and emoji.
   */
  key: string;
  /**
   * The version, where the bucket keeps versions.
   */
  versionId?: string | null;
  /**
   * Without quotes.
   */
  etag: string;
  /**
   * Size in bytes.
   */
  sizeBytes: number;
}
/**
 * What the probe found.
 */
export interface SourceFacts {
  /**
   * The container's name as MediaConvert gives it, such as `mp4`.
   */
  container: string;
  /**
   * Milliseconds.
   */
  durationMs: number;
  /**
   * The first video track; absent for sound alone.
   */
  video?: VideoTrack | null;
  /**
   * The audio tracks, in order; empty for a silent video.
   */
  audio: AudioTrack[];
}
/**
 * A video track as a viewer sees it.
 */
export interface VideoTrack {
  /**
   * As MediaConvert names it, such as `AVC`.
   */
  codec: string;
  /**
   * Pixels across after rotation and with square pixels.
   */
  displayWidth: number;
  /**
   * Pixels down after rotation.
   */
  displayHeight: number;
  /**
   * Clockwise degrees in the file's metadata: 0, 90, 180 or 270.
   */
  rotationDegrees: number;
  /**
   * Frames per second.
   */
  frameRate: number;
  /**
   * How its light is coded, where that is a high dynamic range; absent for an ordinary picture.
   */
  hdr?: Hdr | null;
}
/**
 * An audio track.
 */
export interface AudioTrack {
  /**
   * As MediaConvert names it, such as `AAC`.
   */
  codec: string;
  /**
   * Channels.
   */
  channels: number;
  /**
   * Samples per second.
   */
  sampleRateHz: number;
  /**
   * ISO 639 code, where the file says.
   */
  language?: string | null;
}
/**
 * What the transcode is going to cost on AWS, list price, for the row and the logs.
 */
export interface CostEstimate {
  /**
   * Normalised minutes, as MediaConvert bills them.
   */
  normalisedMinutes: number;
  /**
   * US dollars.
   */
  usd: number;
}
/**
 * A finished rendition.
 */
export interface Rendition {
  /**
   * Names it by its short side, such as `720p`; one of sound alone by its bitrate, such as `128k`.
   */
  name: string;
  /**
   * Pixels across; absent where there is nothing to see.
   */
  width?: number | null;
  /**
   * Pixels down; absent where there is nothing to see.
   */
  height?: number | null;
  /**
   * Bits per second on average, where the service says.
   */
  averageBitrateBps?: number | null;
}
/**
 * Addresses a player uses: paths of the site, such as `/v/<originId>/out/v1/.../index.m3u8`.
 */
export interface PlaybackPaths {
  /**
   * HLS parent playlist.
   */
  hls?: string | null;
  /**
   * DASH manifest.
   */
  dash?: string | null;
  /**
   * HLS parent playlist over fragmented MP4.
   */
  cmaf?: string | null;
  /**
   * MP4 download.
   */
  mp4?: string | null;
}
/**
 * The proof, kept on the row, that a viewer could play the video through the CDN.
 */
export interface Receipt {
  /**
   * RFC 3339, UTC.
   */
  verifiedAt: string;
  /**
   * The parent playlist that players are given first.
   */
  masterPath: string;
  /**
   * Every rendition of it.
   */
  renditions: RenditionReceipt[];
  /**
   * Every manifest that was played from.
   */
  manifests?: ManifestReceipt[];
  /**
   * Bytes fetched in all.
   */
  bytesFetched: number;
}
/**
 * What was seen of one rendition.
 */
export interface RenditionReceipt {
  /**
   * The rendition's playlist.
   */
  playlistPath: string;
  /**
   * `RESOLUTION` of the parent playlist, such as `1280x720`.
   */
  resolution?: string | null;
  /**
   * Segments in the playlist.
   */
  segments: number;
  /**
   * Sum of the segments' durations in milliseconds.
   */
  durationMs: number;
  /**
   * Size of the first segment in bytes.
   */
  firstSegmentBytes: number;
  /**
   * Size of the last segment in bytes.
   */
  lastSegmentBytes: number;
}
/**
 * What was seen of one manifest and all it names.
 */
export interface ManifestReceipt {
  format: PackagingFormat;
  /**
   * Its path on the site.
   */
  path: string;
  /**
   * Renditions a player can choose from.
   */
  renditions: number;
  /**
   * Tracks of sound beside them; nought where the sound is inside the renditions.
   */
  audioTracks: number;
  /**
   * Segments of all of them.
   */
  segments: number;
}
/**
 * Why a video failed.
 */
export interface Failure {
  /**
   * The error's name: one of the line's codes or one of Step Functions'.
   */
  code: string;
  /**
   * What a person reads.
   */
  message: string;
  /**
   * The state that failed, where the history names one.
   */
  state?: string | null;
}
/**
 * A run, state by state.
 */
export interface RunProgress {
  /**
   * Step Functions' status: `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED`, `PENDING_REDRIVE`.
   */
  status: string;
  /**
   * The states entered so far, in order of entry; Task states only.
   */
  states: StateProgress[];
}
/**
 * One state of a run.
 */
export interface StateProgress {
  /**
   * The state's name.
   */
  name: string;
  status: StateStatus;
  /**
   * RFC 3339, UTC.
   */
  enteredAt: string;
  /**
   * RFC 3339, UTC.
   */
  exitedAt?: string | null;
}
/**
 * `GET /api/videos?cursor=&limit=`: newest first.
 */
export interface VideoList {
  /**
   * This page's videos.
   */
  videos: Video[];
  /**
   * Opaque; asks for the next page. Absent on the last.
   */
  nextCursor?: string | null;
}
/**
 * `POST /api/uploads/parts`: signs parts just before they are sent, and tells which are already there.
 */
export interface SignPartsRequest {
  /**
   * From [`BeginUploadResponse`].
   */
  uploadId: string;
  /**
   * From [`BeginUploadResponse`].
   */
  key: string;
  /**
   * Which parts to sign, from 1 to 10,000; at most 100 at once. Empty to learn only what is there.
   */
  partNumbers: number[];
}
/**
 * Where to PUT the parts.
 */
export interface SignPartsResponse {
  /**
   * One per asked part.
   */
  parts: SignedPart[];
  /**
   * Parts that S3 already has; a resumed upload skips them.
   */
  uploaded: UploadedPart[];
}
/**
 * Where to PUT one part.
 */
export interface SignedPart {
  /**
   * 1 to 10,000.
   */
  partNumber: number;
  /**
   * Presigned; good for minutes.
   */
  url: string;
}
