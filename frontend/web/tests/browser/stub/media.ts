/** A short video as the line would publish it, made once with ffmpeg: HLS with two renditions, poster, storyboard, MP4. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SECONDS = 24;
const folder = join(tmpdir(), "vodline-web", "media-2");

/** The folder: `master.m3u8`, `poster.jpg`, `sprite.jpg`, `storyboard.vtt`, `video.mp4`. */
export function media(): string {
  if (existsSync(folder)) return folder;
  const making = `${folder}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  const ffmpeg = (...args: string[]) => {
    execFileSync("ffmpeg", ["-hide_banner", "-loglevel", "error", "-y", ...args], { cwd: making });
  };
  const source = ["-f", "lavfi", "-i", `testsrc2=size=1280x720:rate=24:duration=${SECONDS}`];
  const tone = ["-f", "lavfi", "-i", `sine=frequency=330:duration=${SECONDS}`];
  const encode = [
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
    "-pix_fmt",
    "yuv420p",
    "-g",
    "48",
    "-c:a",
    "aac",
    "-shortest",
  ];
  ffmpeg(...source, ...tone, ...encode, "video.mp4");
  for (const [name, size] of [
    ["360p", "640x360"],
    ["720p", "1280x720"],
  ] as const) {
    ffmpeg(
      "-i",
      "video.mp4",
      ...encode,
      "-s",
      size,
      "-f",
      "hls",
      "-hls_time",
      "2",
      "-hls_playlist_type",
      "vod",
      `${name}.m3u8`,
    );
  }
  writeFileSync(
    join(making, "master.m3u8"),
    [
      "#EXTM3U",
      "#EXT-X-VERSION:3",
      '#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,CODECS="avc1.4d401e,mp4a.40.2"',
      "360p.m3u8",
      '#EXT-X-STREAM-INF:BANDWIDTH=3000000,RESOLUTION=1280x720,CODECS="avc1.4d401f,mp4a.40.2"',
      "720p.m3u8",
      "",
    ].join("\n"),
  );
  ffmpeg("-ss", "3", "-i", "video.mp4", "-frames:v", "1", "-s", "640x360", "poster.jpg");
  ffmpeg("-i", "video.mp4", "-vf", "fps=1/4,scale=160:90,tile=3x2", "-frames:v", "1", "sprite.jpg");
  const cue = (index: number) => {
    const at = (seconds: number) => `00:00:${String(seconds).padStart(2, "0")}.000`;
    return `${at(index * 4)} --> ${at(index * 4 + 4)}\nsprite.jpg#xywh=${(index % 3) * 160},${Math.floor(index / 3) * 90},160,90`;
  };
  writeFileSync(join(making, "storyboard.vtt"), `WEBVTT\n\n${[0, 1, 2, 3, 4, 5].map(cue).join("\n\n")}\n`);
  try {
    renameSync(making, folder);
  } catch {
    // Another run was faster.
    rmSync(making, { recursive: true });
  }
  return folder;
}
