/** Cuts JSON text into tokens to be coloured. Pure. */

/** What a piece of the text is. */
export type TokenKind = "key" | "string" | "number" | "literal" | "plain";

/** A piece of the text. */
export interface Token {
  kind: TokenKind;
  text: string;
}

/** Longer texts are shown as they are; colouring them would take too many elements. */
const COLOURED_MAX = 100_000;

/** The text with JSON indented; other text as it is. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** All pieces, in order; together they are the text. */
export function tokens(text: string): Token[] {
  if (text.length > COLOURED_MAX) return [{ kind: "plain", text }];
  const found: Token[] = [];
  const pattern = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;
  let at = 0;
  const plain = (until: number) => {
    if (until > at) found.push({ kind: "plain", text: text.slice(at, until) });
    at = until;
  };
  for (const match of text.matchAll(pattern)) {
    const [whole, quoted, colon, number] = match;
    plain(match.index);
    if (quoted !== undefined) {
      found.push({ kind: colon === undefined ? "string" : "key", text: quoted });
      if (colon !== undefined) found.push({ kind: "plain", text: colon });
    } else {
      found.push({ kind: number === undefined ? "literal" : "number", text: whole });
    }
    at = match.index + whole.length;
  }
  plain(text.length);
  return found;
}
