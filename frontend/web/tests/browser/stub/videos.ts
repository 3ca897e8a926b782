/** Rows of the catalogue for the tests. */

import type { StateProgress, Video, VideoDetail } from "../../../src/contracts/api";

export function videoId(number: number): string {
  return `v${number.toString(16).padStart(20, "0")}`;
}

/** A READY video; the higher its number, the older it is. */
export function readyVideo(number: number, change: Partial<Video> = {}): Video {
  const created = new Date(Date.now() - number * 37 * 60_000);
  const id = videoId(number);
  return {
    videoId: id,
    title: `Test card ${number}`,
    filename: `test-card-${number}.mp4`,
    status: "READY",
    createdAt: created.toISOString(),
    updatedAt: new Date(created.getTime() + 45_000).toISOString(),
    readyAt: new Date(created.getTime() + 45_000).toISOString(),
    source: { bucket: "uploads", key: `uploads/x/test-card-${number}.mp4`, etag: "e", sizeBytes: 23_456_789 },
    facts: {
      container: "mp4",
      durationMs: 24_000,
      video: { codec: "AVC", displayWidth: 1280, displayHeight: 720, rotationDegrees: 0, frameRate: 24 },
      audio: [{ codec: "AAC", channels: 2, sampleRateHz: 48_000 }],
    },
    costEstimate: { normalisedMinutes: 3.2, usd: 0.0481 },
    durationMs: 24_000,
    renditions: [
      { name: "360p", width: 640, height: 360, averageBitrateBps: 812_000 },
      { name: "720p", width: 1280, height: 720, averageBitrateBps: 2_640_000 },
    ],
    playback: {
      hls: "/v/group-1/out/v1/asset/master.m3u8",
      dash: "/v/group-1/out/v1/asset/master.mpd",
      mp4: `/media/${id}/mp4/video.mp4`,
    },
    poster: `/media/${id}/images/poster.jpg`,
    storyboard: `/media/${id}/images/storyboard.vtt`,
    receipt: {
      verifiedAt: new Date(created.getTime() + 44_000).toISOString(),
      masterPath: "/v/group-1/out/v1/asset/master.m3u8",
      bytesFetched: 3_456_000,
      renditions: ["640x360", "1280x720"].map((resolution, index) => ({
        playlistPath: `/v/group-1/out/v1/asset/${index}.m3u8`,
        resolution,
        segments: 12,
        durationMs: 24_000,
        firstSegmentBytes: 230_000,
        lastSegmentBytes: 210_000,
      })),
    },
    executionArn: `arn:aws:states:eu-central-1:000000000000:execution:publish:run-${number}`,
    ...change,
  };
}

/** A READY video that is sound alone, packaged by the job itself. */
export function soundVideo(number: number): Video {
  const { poster: _poster, storyboard: _storyboard, ...row } = readyVideo(number);
  const playback = { cmaf: row.playback?.hls ?? null };
  const facts = { container: "mp4", durationMs: 24_000, audio: row.facts?.audio ?? [] };
  return { ...row, facts, playback, renditions: [{ name: "64k" }, { name: "128k" }] };
}

/** A video in the making. */
export function processingVideo(number: number, percent: number, change: Partial<Video> = {}): Video {
  const {
    readyAt: _ready,
    receipt: _receipt,
    playback: _playback,
    poster: _poster,
    storyboard: _s,
    renditions: _r,
    ...row
  } = readyVideo(number);
  return { ...row, status: "PROCESSING", progress: { phase: "TRANSCODING", percent }, ...change };
}

/** A video that failed. */
export function failedVideo(number: number, change: Partial<Video> = {}): Video {
  const { progress: _progress, ...row } = processingVideo(number, 0);
  return {
    ...row,
    status: "FAILED",
    error: {
      code: "Vod.UnsupportedSource",
      message: "the upload has no video track; it holds one AAC audio track",
      state: "ProbeSource",
    },
    ...change,
  };
}

const STATES = ["AdmitUpload", "ProbeSource", "StartJob", "IngestAsset", "VerifyPlayback", "RecordCatalog"];

/** The detail of a run that is in its n-th state (from 0), which may have failed. */
export function inState(video: Video, at: number, failed = false): VideoDetail {
  const start = Date.parse(video.createdAt);
  const states = STATES.slice(0, at + 1).map((name, index): StateProgress => {
    const enteredAt = new Date(start + index * 2_300).toISOString();
    if (index < at) {
      return { name, status: "SUCCEEDED", enteredAt, exitedAt: new Date(start + (index + 1) * 2_300).toISOString() };
    }
    return { name, status: failed ? "FAILED" : "RUNNING", enteredAt };
  });
  return { video, run: { status: failed ? "FAILED" : "RUNNING", states } };
}
