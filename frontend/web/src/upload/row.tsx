/** One file: its title, the progress of its upload, then its way through the line. */

import { useEffect, useState } from "preact/hooks";
import { getVideo, RequestError } from "../api/client";
import { describe } from "../api/describe";
import type { VideoDetail } from "../contracts/api";
import { formatBytes } from "../format/size";
import { formatElapsed } from "../format/time";
import { RunStates } from "../progress/run-states";
import { stateWords } from "../progress/state-words";
import { announce } from "../ui/announce";
import { Icon } from "../ui/icon";
import { Meter } from "../ui/meter";
import { usePolling } from "../ui/poll";
import { Status } from "../ui/status";
import { watchAddress } from "../watch/address";
import type { Item } from "./queue";
import type { TransferState } from "./transfer";

const TITLE_MAX = 200;
const POLL_MS = 1_500;

interface UploadRowProps {
  item: Item;
  /** Of the item's transfer; given so that the row is drawn again when it changes. */
  state: TransferState;
  keyMissing: boolean;
  onStart: () => void;
  onRemove: () => void;
}

/** The row. */
export function UploadRow({ item, state, keyMissing, onStart, onRemove }: UploadRowProps) {
  const { transfer, started } = item;
  const name = transfer.title || transfer.file.name;
  useEffect(() => {
    if (state.status === "done") announce(`${name} is uploaded`);
    if (state.status === "interrupted") announce(`The upload of ${name} was interrupted`);
  }, [state.status, name]);
  return (
    <li class="panel upload-row">
      <div class="row spread">
        <div class="upload-name">
          {started ? <h3>{name}</h3> : <TitleField item={item} />}
          <p class="soft">
            {transfer.file.name}, {formatBytes(transfer.file.size)}
          </p>
        </div>
        <div class="row">
          <Controls
            item={item}
            state={state}
            name={name}
            keyMissing={keyMissing}
            onStart={onStart}
            onRemove={onRemove}
          />
        </div>
      </div>
      {started && state.status !== "done" && <Sending state={state} size={transfer.file.size} name={name} />}
      {state.videoId && <Publishing videoId={state.videoId} name={name} />}
    </li>
  );
}

function TitleField({ item }: { item: Item }) {
  const [title, setTitle] = useState(item.transfer.title);
  return (
    <label class="field">
      <span>Title</span>
      <input
        value={title}
        maxLength={TITLE_MAX}
        onInput={(event) => {
          setTitle(event.currentTarget.value);
          item.transfer.title = event.currentTarget.value.trim();
        }}
      />
    </label>
  );
}

function Controls({ item, state, name, keyMissing, onStart, onRemove }: UploadRowProps & { name: string }) {
  const { status } = state;
  if (status === "done" || status === "finishing") return null;
  return (
    <>
      {!item.started && (
        <button
          type="button"
          class="button primary"
          disabled={keyMissing}
          onClick={onStart}
          aria-label={`Upload ${name}`}
        >
          <Icon name="upload" /> Upload
        </button>
      )}
      {status === "sending" && (
        <button type="button" class="button" onClick={() => item.transfer.pause()} aria-label={`Pause ${name}`}>
          <Icon name="pause" /> Pause
        </button>
      )}
      {(status === "paused" || status === "interrupted") && (
        <button
          type="button"
          class="button primary"
          disabled={keyMissing}
          onClick={onStart}
          aria-label={`Resume ${name}`}
        >
          <Icon name="play" /> Resume
        </button>
      )}
      <button
        type="button"
        class="button"
        onClick={onRemove}
        aria-label={item.started ? `Cancel ${name}` : `Remove ${name}`}
      >
        <Icon name="close" /> {item.started ? "Cancel" : "Remove"}
      </button>
    </>
  );
}

function Sending({ state, size, name }: { state: TransferState; size: number; name: string }) {
  return (
    <div class="upload-progress">
      <Meter share={state.sentBytes / size} label={`Upload of ${name}`} />
      <p class="row spread">
        <span>{statusWords(state, size)}</span>
        {state.status === "sending" && (
          <span class="soft">
            {state.bytesPerSecond !== undefined && `${formatBytes(state.bytesPerSecond)}/s`}
            {state.remainingMs !== undefined && `, ${formatElapsed(state.remainingMs)} left`}
          </span>
        )}
      </p>
      {state.status === "interrupted" && state.error && (
        <p class="field-error" role="alert">
          {describe(state.error)}
        </p>
      )}
    </div>
  );
}

function statusWords(state: TransferState, size: number): string {
  const share = `${Math.floor((state.sentBytes / size) * 100)} %, ${formatBytes(state.sentBytes)} of ${formatBytes(size)}`;
  switch (state.status) {
    case "waiting":
      return "Waiting for its turn";
    case "paused":
      return `Paused at ${share}`;
    case "interrupted":
      return `Interrupted at ${share}`;
    case "finishing":
      return "Putting the parts together";
    default:
      return share;
  }
}

/** The uploaded file on its way through the line, until it plays or has failed. */
function Publishing({ videoId, name }: { videoId: string; name: string }) {
  const [detail, setDetail] = useState<VideoDetail>();
  const [error, setError] = useState<string>();
  const settled = detail?.video.status === "READY" || detail?.video.status === "FAILED";
  const ask = async (signal?: AbortSignal) => {
    try {
      setDetail(await getVideo(videoId, signal));
      setError(undefined);
    } catch (caught) {
      if (signal?.aborted) return;
      // The event that starts the run takes a moment; until then there is no row.
      const early = caught instanceof RequestError && caught.status === 404;
      setError(early ? undefined : describe(caught));
    }
  };
  usePolling(ask, settled ? undefined : POLL_MS);
  const status = detail?.video.status;
  useEffect(() => {
    if (status === "READY") announce(`${name} is ready to watch`);
    if (status === "FAILED") announce(`${name} failed`);
  }, [status, name]);

  return (
    <div class="stack">
      {error && <p class="field-error">{error}</p>}
      {!detail && (
        <p class="row">
          <Status look="running" words="Uploaded" /> Waiting for the line to pick it up…
        </p>
      )}
      {detail?.video.status === "FAILED" && detail.video.error && (
        <p class="field-error" role="alert">
          {detail.video.error.state ? `${stateWords(detail.video.error.state)} failed: ` : ""}
          {detail.video.error.message} (<code>{detail.video.error.code}</code>)
        </p>
      )}
      {detail && detail.video.status !== "READY" && <RunStates video={detail.video} run={detail.run} />}
      {detail && (
        <p class="row">
          {status === "READY" && <Status look="succeeded" words="Ready" />}
          <a
            class={`button ${status === "READY" ? "primary" : ""}`}
            href={watchAddress(videoId)}
            aria-label={status === "READY" ? `Watch ${name}` : `Open its page: ${name}`}
          >
            <Icon name="play" /> {status === "READY" ? "Watch" : "Open its page"}
          </a>
        </p>
      )}
    </div>
  );
}
