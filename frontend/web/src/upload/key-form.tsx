/** Asks for the upload key. */

import { useState } from "preact/hooks";
import { Icon } from "../ui/icon";

interface KeyFormProps {
  /** Whether the last key was refused. */
  refused: boolean;
  onKey: (key: string) => void;
}

/** The form; the key is treated as a password. */
export function KeyForm({ refused, onKey }: KeyFormProps) {
  const [text, setText] = useState("");
  return (
    <form
      class="panel key-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim()) onKey(text.trim());
      }}
    >
      <div class="field">
        <label for="upload-key">Upload key</label>
        <input
          id="upload-key"
          type="password"
          autocomplete="off"
          value={text}
          aria-invalid={refused}
          aria-describedby="upload-key-words"
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </div>
      <button type="submit" class="button primary">
        <Icon name="check" /> Use this key
      </button>
      <p id="upload-key-words" class={refused ? "field-error" : "soft"} role={refused ? "alert" : undefined}>
        {refused
          ? "The server refused the key. Enter another one."
          : "Uploading needs a key. Whoever runs this site has it."}
      </p>
    </form>
  );
}
