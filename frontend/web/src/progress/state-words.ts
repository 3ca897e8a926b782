/** Names of states as sentences. */

/** `TranscodeAndPrepare` as a person reads it: `Transcode and prepare`. */
export function stateWords(name: string): string {
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").split(" ");
  return words.map((word, index) => (index > 0 && !/^[A-Z]{2}/.test(word) ? word.toLowerCase() : word)).join(" ");
}
