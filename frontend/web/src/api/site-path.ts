/**
 * A path of this site, as rows hold them for posters, playlists and downloads. Anything that would lead to another host or
 * run as a script is refused: rows are data, not instructions.
 */
export function sitePath(path: string | null | undefined): string | undefined {
  if (!path?.startsWith("/") || path.startsWith("//") || path.includes("\\")) return undefined;
  return path;
}
