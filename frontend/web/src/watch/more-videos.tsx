/** Other videos to watch, beside the one that plays. */

import { useEffect, useState } from "preact/hooks";
import { listVideos } from "../api/client";
import { sitePath } from "../api/site-path";
import type { Video } from "../contracts/api";
import { formatClock, formatRelative } from "../format/time";
import { Icon } from "../ui/icon";
import { watchAddress } from "./address";

const SHOWN = 12;

/** The newest videos that play, without the one that is watched. The page does without when they cannot be listed. */
export function MoreVideos({ except }: { except: string }) {
  const [videos, setVideos] = useState<Video[]>();
  useEffect(() => {
    const controller = new AbortController();
    listVideos({ limit: SHOWN * 2 }, controller.signal)
      .then((page) => setVideos(page.videos))
      .catch(() => setVideos([]));
    return () => controller.abort();
  }, []);
  const shown = videos?.filter((video) => video.status === "READY" && video.videoId !== except).slice(0, SHOWN);
  if (!shown) return null;
  if (shown.length === 0) return <p class="soft">None yet.</p>;
  return (
    <ul class="more-videos">
      {shown.map((video) => (
        <li key={video.videoId}>
          <MoreVideo video={video} />
        </li>
      ))}
    </ul>
  );
}

function MoreVideo({ video }: { video: Video }) {
  const poster = sitePath(video.poster);
  return (
    <a class="more-video" href={watchAddress(video.videoId)}>
      <span class="more-video-picture">
        {poster ? <img src={poster} alt="" width={160} height={90} loading="lazy" /> : <Icon name="film" />}
        {typeof video.durationMs === "number" && (
          <span class="more-video-duration">{formatClock(video.durationMs)}</span>
        )}
      </span>
      <span>
        <span class="more-video-title">{video.title}</span>
        <span class="soft">{formatRelative(new Date(video.createdAt), new Date())}</span>
      </span>
    </a>
  );
}
