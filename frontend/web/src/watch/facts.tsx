/** What is known of a video: what was uploaded, what was made of it, and the proof that it plays. */

import type { ComponentChildren } from "preact";
import { sitePath } from "../api/site-path";
import type { Receipt, Rendition, Video } from "../contracts/api";
import { count, formatBitrate, formatBytes } from "../format/size";
import { formatClock, formatElapsed, formatMoment } from "../format/time";
import { Icon } from "../ui/icon";

/** The facts in panels; those that are not known yet are left out. */
export function Facts({ video }: { video: Video }) {
  return (
    <div class="watch-facts">
      <section class="panel stack" aria-labelledby="source">
        <h2 id="source">Source</h2>
        <SourceFacts video={video} />
      </section>
      {video.renditions && video.renditions.length > 0 && (
        <section class="panel stack" aria-labelledby="renditions">
          <h2 id="renditions">Renditions</h2>
          <dl class="facts">
            {video.renditions.map((rendition) => (
              <Fact key={rendition.name} name={rendition.name}>
                {renditionWords(rendition)}
              </Fact>
            ))}
          </dl>
        </section>
      )}
      <Streams playback={video.playback} />
      {video.receipt && <ReceiptPanel receipt={video.receipt} />}
    </div>
  );
}

/** Size and bitrate; one of sound alone has no size. */
function renditionWords({ width, height, averageBitrateBps }: Rendition): string {
  const size = width && height ? `${width} × ${height}` : "Sound";
  return averageBitrateBps ? `${size}, ${formatBitrate(averageBitrateBps)}` : size;
}

/** Where other players find the video. */
function Streams({ playback }: { playback: Video["playback"] }) {
  const streams = (
    [
      ["HLS", playback?.hls],
      ["CMAF", playback?.cmaf],
      ["DASH", playback?.dash],
    ] as const
  ).flatMap(([name, path]) => {
    const address = sitePath(path);
    return address ? [{ name, address }] : [];
  });
  if (streams.length === 0) return null;
  return (
    <section class="panel stack" aria-labelledby="streams">
      <h2 id="streams">Streams</h2>
      <dl class="facts">
        {streams.map(({ name, address }) => (
          <Fact key={name} name={name}>
            <a href={address}>{address.split("/").at(-1)}</a>
          </Fact>
        ))}
      </dl>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function SourceFacts({ video }: { video: Video }) {
  const { facts, costEstimate } = video;
  return (
    <dl class="facts">
      <Fact name="File">{video.filename}</Fact>
      <Fact name="Size">{formatBytes(video.source.sizeBytes)}</Fact>
      {facts && (
        <>
          <Fact name="Length">{formatClock(facts.durationMs)}</Fact>
          <Fact name="Picture">
            {facts.video
              ? `${facts.video.displayWidth} × ${facts.video.displayHeight}, ${trim(facts.video.frameRate)} frames/s, ${facts.video.codec} in ${facts.container}`
              : "None"}
          </Fact>
          <Fact name="Sound">
            {facts.audio.length === 0
              ? "None"
              : facts.audio
                  .map(
                    (track) => `${track.codec}, ${count(track.channels, "channel")}, ${track.sampleRateHz / 1000} kHz`,
                  )
                  .join("; ")}
          </Fact>
        </>
      )}
      {video.readyAt && (
        <Fact name="Made in">{formatElapsed(Date.parse(video.readyAt) - Date.parse(video.createdAt))}</Fact>
      )}
      {costEstimate && (
        <Fact name="On AWS">
          {costEstimate.usd < 0.01 ? "under $0.01" : `$${costEstimate.usd.toFixed(2)}`} to transcode
        </Fact>
      )}
    </dl>
  );
}

function trim(frameRate: number): string {
  return String(Math.round(frameRate * 1000) / 1000);
}

function ReceiptPanel({ receipt }: { receipt: Receipt }) {
  const segments = receipt.renditions.reduce((sum, rendition) => sum + rendition.segments, 0);
  const formats = receipt.manifests?.map(({ format }) => format.toUpperCase()).join(", ");
  return (
    <section class="panel stack" aria-labelledby="receipt">
      <h2 id="receipt">
        <Icon name="check" /> Verified
      </h2>
      <p>
        Played through the CDN as a viewer would{formats && ` (${formats})`}:{" "}
        {count(receipt.renditions.length, "rendition")}, {count(segments, "segment")},{" "}
        {formatBytes(receipt.bytesFetched)} fetched.
      </p>
      <dl class="facts">
        <Fact name="When">{formatMoment(new Date(receipt.verifiedAt))}</Fact>
        {receipt.renditions.map((rendition) => (
          <Fact key={rendition.playlistPath} name={rendition.resolution ?? "Sound"}>
            {count(rendition.segments, "segment")}, {formatClock(rendition.durationMs)}
          </Fact>
        ))}
      </dl>
    </section>
  );
}
