/** Starts an execution: input, and a name for those who want one. */

import { useState } from "preact/hooks";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icon";
import { statesApi } from "./client";
import { pretty } from "./json-tokens";
import { problemWords } from "./problem";
import { executionAddress, nameOfArn } from "./words";

interface NewExecutionProps {
  stateMachineArn: string;
  /** What the input field holds at first. */
  input: string;
  onClose: () => void;
}

function jsonError(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : "This is not JSON.";
  }
}

/** The dialog; leads to the page of the new execution. */
export function NewExecution({ stateMachineArn, input, onClose }: NewExecutionProps) {
  const [text, setText] = useState(() => pretty(input));
  const [name, setName] = useState("");
  const [error, setError] = useState<string>();
  const [starting, setStarting] = useState(false);
  const start = async () => {
    const invalid = jsonError(text);
    setError(invalid && `The input is not JSON: ${invalid}`);
    if (invalid) return;
    setStarting(true);
    try {
      const call = await statesApi();
      const { executionArn } = await call("StartExecution", {
        stateMachineArn,
        input: text,
        ...(name.trim() ? { name: name.trim() } : {}),
      });
      location.assign(executionAddress(executionArn));
    } catch (caught) {
      setError(problemWords(caught));
      setStarting(false);
    }
  };
  return (
    <Dialog title={`New execution of ${nameOfArn(stateMachineArn)}`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!starting) void start();
        }}
      >
        <label class="field">
          <span>Input (JSON)</span>
          <textarea
            value={text}
            spellcheck={false}
            aria-invalid={error !== undefined}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>Name (optional)</span>
          <input
            value={name}
            maxLength={80}
            autocomplete="off"
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        {error && (
          <p class="field-error" role="alert">
            {error}
          </p>
        )}
        <div class="row">
          <button type="submit" class="button primary" aria-disabled={starting}>
            <Icon name="play" /> {starting ? "Starting…" : "Start"}
          </button>
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}
