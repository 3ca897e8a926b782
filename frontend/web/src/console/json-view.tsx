/** Shows JSON: indented, coloured, to be copied. */

import { useMemo } from "preact/hooks";
import { CopyButton } from "../ui/copy";
import { pretty, tokens } from "./json-tokens";

interface JsonViewProps {
  label: string;
  /** JSON, or any other text; missing when there is none. */
  text: string | undefined;
}

/** The text with its label. */
export function JsonView({ label, text }: JsonViewProps) {
  const shown = useMemo(() => (text === undefined ? undefined : pretty(text)), [text]);
  return (
    <figure class="json">
      <figcaption class="row spread">
        <h3>{label}</h3>
        {shown !== undefined && (
          <CopyButton class="plain small" text={() => shown}>
            Copy
          </CopyButton>
        )}
      </figcaption>
      {shown === undefined ? (
        <p class="soft">None.</p>
      ) : (
        // Scrollable, so it has to be reachable by keyboard.
        <pre tabIndex={0} role="region" aria-label={label}>
          <code>
            {tokens(shown).map(({ kind, text: piece }, index) =>
              kind === "plain" ? (
                piece
              ) : (
                <span key={index} class={`json-${kind}`}>
                  {piece}
                </span>
              ),
            )}
          </code>
        </pre>
      )}
    </figure>
  );
}
