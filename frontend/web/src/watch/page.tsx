/** The watch page: plays a video; shows the states of one that is in the making, and why one failed. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { getVideo, RequestError } from "../api/client";
import { describe } from "../api/describe";
import { sitePath } from "../api/site-path";
import type { Video, VideoDetail } from "../contracts/api";
import { formatMoment, parseOffset } from "../format/time";
import { prefer, preferences } from "../player/preferences";
import type { VodPlayer } from "../player/vod-player";
import { RunStates } from "../progress/run-states";
import { stateWords } from "../progress/state-words";
import { CopyButton } from "../ui/copy";
import { Icon } from "../ui/icon";
import { SiteFrame } from "../ui/layout";
import { Notice } from "../ui/notice";
import { usePolling } from "../ui/poll";
import { Status } from "../ui/status";
import { watchAddress } from "./address";
import { Facts } from "./facts";
import { MoreVideos } from "./more-videos";
import { ShortcutHelp } from "./shortcut-help";
import "./watch.css";

const PROCESSING_INTERVAL_MS = 2_000;
/** A failed run may be redriven at any time. */
const FAILED_INTERVAL_MS = 10_000;
const VIDEO_ID = /^v[0-9a-f]{20}$/;

const NOT_FOUND = new RequestError(404, "NotFound", "There is no such video.");

/** The page. */
export function WatchPage() {
  const parameters = new URLSearchParams(location.search);
  const videoId = parameters.get("v") ?? "";
  const startSeconds = parseOffset(parameters.get("t") ?? "");
  const [detail, setDetail] = useState<VideoDetail>();
  const [error, setError] = useState<unknown>();
  const [theatre, setTheatre] = useState(() => preferences().theatre ?? false);

  const load = useCallback(
    async (signal?: AbortSignal) => {
      setError(undefined);
      try {
        if (!VIDEO_ID.test(videoId)) throw NOT_FOUND;
        setDetail(await getVideo(videoId, signal));
      } catch (caught) {
        setError(caught);
      }
    },
    [videoId],
  );
  useEffect(() => void load(), [load]);

  const status = detail?.video.status;
  const interval =
    status === "PROCESSING" ? PROCESSING_INTERVAL_MS : status === "FAILED" ? FAILED_INTERVAL_MS : undefined;
  usePolling(async (signal) => setDetail(await getVideo(videoId, signal)), interval);

  useEffect(() => {
    if (detail) document.title = `${detail.video.title} · Vodline`;
  }, [detail?.video.title]);

  const changeTheatre = () => {
    prefer({ theatre: !theatre });
    setTheatre(!theatre);
  };

  if (error && !detail) return <Problem error={error} onRetry={() => void load()} />;
  return (
    <SiteFrame>
      <div class={`watch ${theatre && status === "READY" ? "theatre" : ""}`}>
        <div class="watch-stage">
          {!detail && <div class="watch-screen skeleton" role="status" aria-label="Loading the video" />}
          {detail?.video.status === "READY" && (
            <Playback key={videoId} video={detail.video} startSeconds={startSeconds} onTheatre={changeTheatre} />
          )}
          {detail && detail.video.status !== "READY" && <InTheMaking detail={detail} />}
        </div>
        <div class="watch-text">{detail && <Facts video={detail.video} />}</div>
        <aside class="watch-more" aria-labelledby="more">
          <h2 id="more">More videos</h2>
          <MoreVideos except={videoId} />
        </aside>
      </div>
    </SiteFrame>
  );
}

function Problem({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const missing = error instanceof RequestError && error.status === 404;
  return (
    <SiteFrame>
      {missing ? (
        <div class="empty" role="alert">
          <Icon name="film" />
          <h1>There is no such video</h1>
          <p class="soft">The link may be incomplete.</p>
          <a class="button primary" href="./index.html">
            All videos
          </a>
        </div>
      ) : (
        <>
          <h1 class="visually-hidden">Watch</h1>
          <Notice title="The video cannot be loaded" onRetry={onRetry}>
            <p>{describe(error)}</p>
          </Notice>
        </>
      )}
    </SiteFrame>
  );
}

interface PlaybackProps {
  video: Video;
  startSeconds: number | undefined;
  onTheatre: () => void;
}

function Playback({ video, startSeconds, onTheatre }: PlaybackProps) {
  const holder = useRef<HTMLDivElement>(null);
  const [help, setHelp] = useState(false);
  const [broken, setBroken] = useState(false);
  const hls = sitePath(video.playback?.hls ?? video.playback?.cmaf);
  const mp4 = sitePath(video.playback?.mp4);

  // The page is there before the player, which is the larger part of it, has arrived.
  useEffect(() => {
    import("../player/vod-player").catch(() => setBroken(true));
  }, []);
  const latest = useRef(onTheatre);
  latest.current = onTheatre;
  useEffect(() => {
    const element = holder.current;
    const onTheatreEvent = () => latest.current();
    const onHelpEvent = () => setHelp(true);
    element?.addEventListener("vod-theatre", onTheatreEvent);
    element?.addEventListener("vod-help", onHelpEvent);
    return () => {
      element?.removeEventListener("vod-theatre", onTheatreEvent);
      element?.removeEventListener("vod-help", onHelpEvent);
    };
  }, []);

  const linkAtThisMoment = () => {
    const seconds = holder.current?.querySelector<VodPlayer>("vod-player")?.currentSeconds ?? 0;
    return new URL(watchAddress(video.videoId, seconds), location.href).href;
  };

  if (!hls || broken) {
    return (
      <>
        <Title video={video} />
        <Notice title="The video cannot be played">
          <p>{broken ? "The player could not be loaded. Reload the page." : "Its row names no stream on this site."}</p>
        </Notice>
      </>
    );
  }
  return (
    <>
      <div ref={holder} class="watch-screen">
        <vod-player
          src={hls}
          label={video.title}
          video-id={video.videoId}
          poster={sitePath(video.poster)}
          storyboard={sitePath(video.storyboard)}
          start={startSeconds}
        />
      </div>
      <div class="watch-head">
        <Title video={video} />
        <div class="row">
          <CopyButton text={linkAtThisMoment} icon="link">
            Copy link at this time
          </CopyButton>
          {mp4 && (
            <a class="button" href={mp4} download={`${video.title}.mp4`}>
              <Icon name="download" /> Download MP4
            </a>
          )}
          <button type="button" class="button" onClick={() => setHelp(true)}>
            <Icon name="keyboard" /> Keyboard
          </button>
        </div>
      </div>
      {help && <ShortcutHelp onClose={() => setHelp(false)} />}
    </>
  );
}

function InTheMaking({ detail: { video, run } }: { detail: VideoDetail }) {
  return (
    <div class="stack">
      <Title video={video} />
      {video.status === "FAILED" && video.error && (
        <Notice title={video.error.state ? `${stateWords(video.error.state)} failed` : "The video failed"}>
          <p>{video.error.message}</p>
          <p>
            <code>{video.error.code}</code>
          </p>
          <p class="soft">Once the cause is mended, the run can be redriven and goes on here.</p>
        </Notice>
      )}
      <section class="panel stack" aria-labelledby="states">
        <h2 id="states">{video.status === "FAILED" ? "How far it came" : "In the making"}</h2>
        <RunStates video={video} run={run} />
      </section>
    </div>
  );
}

function Title({ video }: { video: Video }) {
  return (
    <div class="watch-title">
      <h1>{video.title}</h1>
      <p class="row soft">
        {video.status === "PROCESSING" && <Status look="running" words="Processing" />}
        {video.status === "FAILED" && <Status look="failed" />}
        <span>Uploaded {formatMoment(new Date(video.createdAt))}</span>
      </p>
    </div>
  );
}
