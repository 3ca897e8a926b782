/** The head of an execution's page: what it is, how it stands, what can be done. */

import { useState } from "preact/hooks";
import { count } from "../../format/size";
import { formatElapsed, formatMoment } from "../../format/time";
import { announce } from "../../ui/announce";
import { CopyButton } from "../../ui/copy";
import { Dialog } from "../../ui/dialog";
import { Icon } from "../../ui/icon";
import { useNow } from "../../ui/now";
import { Status } from "../../ui/status";
import { statesApi } from "../client";
import { mayGoOn } from "../history";
import { NewExecution } from "../new-execution";
import { Problem, problemWords } from "../problem";
import { EXECUTION_LOOKS, machineAddress } from "../words";
import type { Followed } from "./follow";

const TICK_MS = 1_000;
/** AWS's limit of `cause`. */
const CAUSE_MAX = 32_768;

interface HeaderProps {
  followed: Followed;
  /** Something was done to the execution. */
  onChanged: () => Promise<void>;
}

/** The head. */
export function Header({ followed, onChanged }: HeaderProps) {
  const { execution, machine, events } = followed;
  const [dialog, setDialog] = useState<"new" | "stop">();
  const [error, setError] = useState<unknown>();
  const [redriving, setRedriving] = useState(false);
  const running = mayGoOn(execution.status);
  const now = useNow(running ? TICK_MS : undefined);
  const { look, words } = EXECUTION_LOOKS[execution.status];
  const start = new Date(execution.startDate * 1000);
  const stop = execution.stopDate === undefined ? undefined : new Date(execution.stopDate * 1000);
  const transitions = events.filter((event) => event.type.endsWith("StateEntered")).length;

  const redrive = async () => {
    setRedriving(true);
    setError(undefined);
    try {
      const call = await statesApi();
      await call("RedriveExecution", { executionArn: execution.executionArn });
      announce("Redriven");
      await onChanged();
    } catch (caught) {
      setError(caught);
    } finally {
      setRedriving(false);
    }
  };

  return (
    <div class="stack">
      <div class="row spread head">
        <div class="head-title">
          <p>
            <a href={machineAddress(machine.stateMachineArn)}>{machine.name}</a>
          </p>
          <h1>{execution.name}</h1>
        </div>
        <div class="row">
          {execution.redriveStatus === "REDRIVABLE" && (
            <button
              type="button"
              class="button primary"
              aria-disabled={redriving}
              onClick={() => {
                if (!redriving) void redrive();
              }}
            >
              <Icon name="redo" /> {redriving ? "Redriving…" : "Redrive"}
            </button>
          )}
          {execution.status === "RUNNING" && (
            <button type="button" class="button danger" onClick={() => setDialog("stop")}>
              <Icon name="stop" /> Stop
            </button>
          )}
          <button type="button" class="button" onClick={() => setDialog("new")}>
            <Icon name="plus" /> New execution
          </button>
          <CopyButton text={() => execution.executionArn}>Copy ARN</CopyButton>
          <button type="button" class="button" onClick={() => exportJson(followed)}>
            <Icon name="download" /> Export
          </button>
        </div>
      </div>
      <dl class="head-facts">
        <div>
          <dt>Status</dt>
          <dd>
            <Status look={look} words={words} />
          </dd>
        </div>
        <div>
          <dt>Started</dt>
          <dd>{formatMoment(start)}</dd>
        </div>
        <div>
          <dt>Ended</dt>
          <dd>{stop && !running ? formatMoment(stop) : "Not yet"}</dd>
        </div>
        <div>
          <dt>Duration</dt>
          <dd>{formatElapsed((running || !stop ? now : stop.getTime()) - start.getTime())}</dd>
        </div>
        <div>
          <dt>States entered</dt>
          <dd>{transitions}</dd>
        </div>
        <div>
          <dt>Redriven</dt>
          <dd>{count(execution.redriveCount ?? 0, "time")}</dd>
        </div>
      </dl>
      {execution.status !== "SUCCEEDED" && !running && execution.redriveStatus !== "REDRIVABLE" && (
        <p class="soft">
          It cannot be redriven{execution.redriveStatusReason ? `: ${execution.redriveStatusReason}` : "."}
        </p>
      )}
      {error !== undefined && <Problem title="The execution was not redriven" error={error} />}
      {dialog === "new" && (
        <NewExecution
          stateMachineArn={machine.stateMachineArn}
          input={execution.input ?? "{}"}
          onClose={() => setDialog(undefined)}
        />
      )}
      {dialog === "stop" && (
        <StopDialog
          executionArn={execution.executionArn}
          onClose={() => setDialog(undefined)}
          onStopped={async () => {
            setDialog(undefined);
            await onChanged();
          }}
        />
      )}
    </div>
  );
}

interface StopDialogProps {
  executionArn: string;
  onClose: () => void;
  onStopped: () => Promise<void>;
}

function StopDialog({ executionArn, onClose, onStopped }: StopDialogProps) {
  const [cause, setCause] = useState("");
  const [error, setError] = useState<string>();
  const stop = async () => {
    try {
      const call = await statesApi();
      await call("StopExecution", { executionArn, ...(cause.trim() ? { cause: cause.trim() } : {}) });
      await onStopped();
    } catch (caught) {
      setError(problemWords(caught));
    }
  };
  return (
    <Dialog title="Stop the execution?" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void stop();
        }}
      >
        <p>Work that is under way outside of it, such as a transcode, is not stopped.</p>
        <label class="field">
          <span>Cause (optional)</span>
          <input value={cause} maxLength={CAUSE_MAX} onInput={(event) => setCause(event.currentTarget.value)} />
        </label>
        {error && (
          <p class="field-error" role="alert">
            {error}
          </p>
        )}
        <div class="row">
          <button type="submit" class="button danger">
            <Icon name="stop" /> Stop it
          </button>
          <button type="button" class="button" onClick={onClose}>
            Let it run
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Saves everything the page knows as a file. */
function exportJson({ execution, machine, events }: Followed): void {
  const text = JSON.stringify({ execution, definition: machine.definition, events }, null, 2);
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = `${execution.name}.json`;
  link.click();
  URL.revokeObjectURL(address);
}
