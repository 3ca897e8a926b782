/** The storyboard: a WebVTT file whose cues point into sprite images (`sprite.jpg#xywh=0,0,160,90`). */

/** One picture of the storyboard. */
export interface Frame {
  /** From when on it shows, in seconds. */
  startSeconds: number;
  /** Until when, in seconds. */
  endSeconds: number;
  /** Address of the sprite image. */
  image: string;
  /** Its place in the sprite, in pixels. */
  x: number;
  y: number;
  width: number;
  height: number;
}

const TIMING = /^(?:(\d+):)?(\d{2}):(\d{2})[.,](\d{3})\s+-->\s+(?:(\d+):)?(\d{2}):(\d{2})[.,](\d{3})/;
const PLACE = /^(.*)#xywh=(?:pixel:)?(\d+),(\d+),(\d+),(\d+)$/;

function seconds(match: RegExpExecArray, from: number): number {
  const [hours, minutes, whole, thousandths] = match.slice(from, from + 4).map((digits) => Number(digits ?? 0));
  return (hours ?? 0) * 3600 + (minutes ?? 0) * 60 + (whole ?? 0) + (thousandths ?? 0) / 1000;
}

/**
 * Reads the file. Sprite addresses are relative to the file's own; those that lead to another origin are left out, and so
 * are cues that are not understood.
 */
export function parseStoryboard(text: string, address: string): Frame[] {
  const frames: Frame[] = [];
  const origin = new URL(address).origin;
  for (const block of text.replaceAll("\r\n", "\n").split(/\n{2,}/)) {
    const lines = block.split("\n");
    const timingAt = lines.findIndex((line) => TIMING.test(line));
    const timing = TIMING.exec(lines[timingAt] ?? "");
    const place = PLACE.exec(lines[timingAt + 1]?.trim() ?? "");
    if (!timing || !place) continue;
    const [x, y, width, height] = place.slice(2).map(Number) as [number, number, number, number];
    const image = URL.canParse(place[1] ?? "", address) ? new URL(place[1] ?? "", address) : undefined;
    if (image?.origin !== origin || width === 0 || height === 0) continue;
    frames.push({
      startSeconds: seconds(timing, 1),
      endSeconds: seconds(timing, 5),
      image: image.href,
      x,
      y,
      width,
      height,
    });
  }
  return frames.sort((a, b) => a.startSeconds - b.startSeconds);
}

/** The picture at a moment: the last one that began by then. */
export function frameAt(frames: readonly Frame[], atSeconds: number): Frame | undefined {
  let low = 0;
  let high = frames.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((frames[middle] as Frame).startSeconds <= atSeconds) low = middle + 1;
    else high = middle;
  }
  return frames[Math.max(0, low - 1)];
}

/** Fetches and reads a storyboard. */
export async function fetchStoryboard(path: string, signal?: AbortSignal): Promise<Frame[]> {
  const address = new URL(path, document.baseURI);
  const response = await fetch(address, signal ? { signal } : {});
  if (!response.ok) return [];
  return parseStoryboard(await response.text(), address.href);
}

/** Draws a picture onto a canvas of its own size; the image is the frame's sprite. */
export function drawFrame(canvas: HTMLCanvasElement, image: CanvasImageSource, frame: Frame): void {
  canvas.width = frame.width;
  canvas.height = frame.height;
  canvas
    .getContext("2d")
    ?.drawImage(image, frame.x, frame.y, frame.width, frame.height, 0, 0, frame.width, frame.height);
}
