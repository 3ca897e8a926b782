/** Shows the storyboard's picture above the seek bar while the pointer moves along it. */

import { drawFrame, fetchStoryboard, type Frame, frameAt } from "./storyboard";

/** What the preview needs of a player. */
export interface Seekable {
  el(): Element;
  duration(): number | undefined;
}

/** Attaches the preview; the storyboard is fetched on the first use. Returns how to take it off again. */
export function attachStoryboard(player: Seekable, path: string): () => void {
  const bar = player.el().querySelector<HTMLElement>(".vjs-progress-control");
  const holder = bar?.querySelector<HTMLElement>(".vjs-progress-holder");
  if (!bar || !holder) return () => undefined;

  const canvas = document.createElement("canvas");
  canvas.className = "vod-storyboard";
  canvas.hidden = true;
  canvas.setAttribute("aria-hidden", "true");
  bar.append(canvas);

  let frames: Promise<Frame[]> | undefined;
  const images = new Map<string, Promise<HTMLImageElement>>();
  const imageOf = (address: string) => {
    const image = new Image();
    image.src = address;
    return image.decode().then(() => image);
  };
  let latest = 0;

  const move = async (event: PointerEvent) => {
    latest += 1;
    const turn = latest;
    frames ??= fetchStoryboard(path);
    const box = holder.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const frame = frameAt(await frames, share * (player.duration() ?? 0));
    if (!frame) return;
    const image = images.get(frame.image) ?? imageOf(frame.image);
    images.set(frame.image, image);
    const sprite = await image;
    // A later movement, or the pointer's leaving, made this one obsolete.
    if (turn !== latest) return;
    drawFrame(canvas, sprite, frame);
    canvas.hidden = false;
    const half = canvas.offsetWidth / 2;
    const barBox = bar.getBoundingClientRect();
    const wanted = event.clientX - barBox.left;
    canvas.style.left = `${Math.min(barBox.width - half, Math.max(half, wanted))}px`;
  };
  const onMove = (event: PointerEvent) => void move(event).catch(() => undefined);
  const onLeave = () => {
    latest += 1;
    canvas.hidden = true;
  };
  bar.addEventListener("pointermove", onMove);
  bar.addEventListener("pointerleave", onLeave);
  return () => {
    bar.removeEventListener("pointermove", onMove);
    bar.removeEventListener("pointerleave", onLeave);
    canvas.remove();
  };
}
