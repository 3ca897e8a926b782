/** A run, state by state, as it happens: what the upload and watch pages show of a video in the making. */

import { useEffect, useRef } from "preact/hooks";
import type { RunProgress, StateProgress, StateStatus, Video } from "../contracts/api";
import { formatElapsed } from "../format/time";
import { announce } from "../ui/announce";
import { Icon } from "../ui/icon";
import { Meter } from "../ui/meter";
import { useNow } from "../ui/now";
import { LOOKS, type Look } from "../ui/status";
import { stateWords } from "./state-words";
import { progressShare, progressWords } from "./words";
import "./run-states.css";

const TICK_MS = 1_000;

const LOOK_OF: Record<StateStatus, Look> = { RUNNING: "running", SUCCEEDED: "succeeded", FAILED: "failed" };

interface RunStatesProps {
  video: Video;
  run: RunProgress | null | undefined;
}

/** The transcode's progress and the states entered so far. */
export function RunStates({ video, run }: RunStatesProps) {
  const processing = video.status === "PROCESSING";
  const now = useNow(processing ? TICK_MS : undefined);
  useStateAnnouncements(run?.states);
  return (
    <div class="run">
      {processing && (
        <div class="run-progress">
          <div class="row spread">
            <span>{progressWords(video.progress)}</span>
            {run?.states[0] && <span class="soft">{formatElapsed(now - Date.parse(run.states[0].enteredAt))}</span>}
          </div>
          <Meter share={progressShare(video.progress)} label="Transcode" />
        </div>
      )}
      {run && run.states.length > 0 ? (
        <ol class="run-states" aria-label="States of the run">
          {run.states.map((state, index) => (
            <StateRow key={`${index} ${state.name}`} state={state} now={now} />
          ))}
        </ol>
      ) : (
        processing && <p class="soft">Waiting for the first state…</p>
      )}
    </div>
  );
}

function StateRow({ state, now }: { state: StateProgress; now: number }) {
  const look = LOOK_OF[state.status];
  const { icon, words } = LOOKS[look];
  const end = state.exitedAt ? Date.parse(state.exitedAt) : now;
  const open = state.status === "FAILED" && !state.exitedAt;
  return (
    <li class={`run-state ${look}`}>
      <span class="run-state-mark">
        <Icon name={icon} class={look === "running" ? "spin" : ""} />
      </span>
      <span class="run-state-name">
        {stateWords(state.name)}
        <span class="visually-hidden">: {words}</span>
      </span>
      {!open && <span class="soft run-state-time">{formatElapsed(end - Date.parse(state.enteredAt))}</span>}
    </li>
  );
}

function useStateAnnouncements(states: readonly StateProgress[] | undefined): void {
  const told = useRef<Set<string>>(undefined);
  useEffect(() => {
    if (!states) return;
    const first = told.current === undefined;
    const known = (told.current ??= new Set());
    for (const [index, state] of states.entries()) {
      const key = `${index} ${state.name} ${state.status}`;
      if (known.has(key)) continue;
      known.add(key);
      // What was there when the page opened is not news.
      if (!first) announce(`${stateWords(state.name)}: ${LOOKS[LOOK_OF[state.status]].words}`);
    }
  }, [states]);
}
