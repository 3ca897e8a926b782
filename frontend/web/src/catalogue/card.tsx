/** One video in the grid. The whole card is one link. */

import { useState } from "preact/hooks";
import { sitePath } from "../api/site-path";
import type { Video } from "../contracts/api";
import { formatClock, formatMoment, formatRelative } from "../format/time";
import { Icon } from "../ui/icon";
import { Meter } from "../ui/meter";
import { Status } from "../ui/status";
import { watchAddress } from "../watch/address";
import { progressShare, progressWords } from "../progress/words";
import { HoverPreview } from "./hover-preview";

/** The card; `now` is what its age is told from. */
export function Card({ video, now }: { video: Video; now: number }) {
  const created = new Date(video.createdAt);
  return (
    <article class="card">
      <Picture video={video} />
      <div class="card-text">
        <h2>
          <a href={watchAddress(video.videoId)}>{video.title}</a>
        </h2>
        {video.status === "FAILED" && video.error && (
          <p class="card-error">
            <span class="mono">{video.error.code}</span>
            {video.error.state && <> in {video.error.state}</>}
          </p>
        )}
        <p class="soft">
          <time dateTime={video.createdAt} title={formatMoment(created)}>
            {formatRelative(created, new Date(now))}
          </time>
        </p>
      </div>
    </article>
  );
}

function Picture({ video }: { video: Video }) {
  const poster = sitePath(video.poster);
  const storyboard = sitePath(video.storyboard);
  const [broken, setBroken] = useState(false);
  return (
    <div class="picture">
      {poster && !broken ? (
        <img src={poster} alt="" width={640} height={360} loading="lazy" onError={() => setBroken(true)} />
      ) : (
        <Icon name="film" />
      )}
      {video.status === "READY" && storyboard && <HoverPreview storyboard={storyboard} />}
      {video.status === "PROCESSING" && (
        <div class="picture-progress">
          <Status look="running" words={progressWords(video.progress)} />
          <Meter share={progressShare(video.progress)} label={`Progress of ${video.title}`} />
        </div>
      )}
      {video.status === "FAILED" && (
        <div class="picture-status">
          <Status look="failed" />
        </div>
      )}
      {video.status !== "PROCESSING" && typeof video.durationMs === "number" && (
        <span class="picture-duration">
          <span class="visually-hidden">Duration </span>
          {formatClock(video.durationMs)}
        </span>
      )}
    </div>
  );
}

/** Holds the place of a card that is on its way. */
export function SkeletonCard() {
  return (
    <div class="card" aria-hidden="true">
      <div class="picture skeleton" />
      <div class="card-text">
        <div class="skeleton skeleton-title" />
        <div class="skeleton skeleton-line" />
      </div>
    </div>
  );
}
