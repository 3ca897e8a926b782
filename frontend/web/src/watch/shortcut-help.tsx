/** The keyboard map, and the switch to turn it off. */

import { useState } from "preact/hooks";
import { prefer, preferences } from "../player/preferences";
import { HELP } from "../player/shortcuts";
import { Dialog } from "../ui/dialog";

/** The dialog behind `?`. */
export function ShortcutHelp({ onClose }: { onClose: () => void }) {
  const [on, setOn] = useState(() => !preferences().shortcutsOff);
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <label class="row">
        <input
          type="checkbox"
          checked={on}
          onChange={(event) => {
            setOn(event.currentTarget.checked);
            prefer({ shortcutsOff: !event.currentTarget.checked });
          }}
        />
        Shortcuts are on
      </label>
      <dl class="shortcuts">
        {HELP.map(([keys, words]) => (
          <div key={words}>
            <dt>{keys.map((key) => (key === "…" ? <span key={key}>…</span> : <kbd key={key}>{key}</kbd>))}</dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
