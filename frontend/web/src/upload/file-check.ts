/** What can be told of a file before it is sent. The line itself has the last word. */

/** A type or a suffix that containers with video have. */
const SUFFIXES =
  /\.(mp4|m4v|mov|qt|mkv|webm|avi|mpe?g|m2v|ts|mts|m2ts|mxf|wmv|asf|flv|f4v|3gp|3g2|ogv|vob|divx|dv|gxf)$/i;

/** Why a file is not worth sending; nothing if it is. */
export function refusal(file: { name: string; size: number; type: string }): string | undefined {
  if (file.size === 0) return "The file is empty.";
  const isVideo = file.type.startsWith("video/") || SUFFIXES.test(file.name);
  const isUnknown = file.type === "" || file.type === "application/octet-stream";
  if (!isVideo && !isUnknown) return "This is not a video.";
  return undefined;
}

/** What the video is called unless its uploader says otherwise: the file's name without suffix. */
export function titleOf(filename: string): string {
  return (
    filename
      .replace(/(?<=.)\.[^.]{1,8}$/, "")
      .replaceAll("_", " ")
      .trim() || filename
  );
}
