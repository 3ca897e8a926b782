/** Runs through a video's storyboard while a mouse rests on its card. */

import { useEffect, useRef } from "preact/hooks";
import { drawFrame, fetchStoryboard } from "../player/storyboard";

/** So that a mouse on its way elsewhere loads nothing. */
const REST_MS = 250;
const FRAME_MS = 450;

async function loadImage(address: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}

/** Lies over the poster; listens on the card around it. */
export function HoverPreview({ storyboard }: { storyboard: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const card = canvas.current?.closest(".card");
    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    const mouse = matchMedia("(hover: hover) and (pointer: fine)");
    if (!card) return undefined;
    let current: AbortController | undefined;

    const play = async (signal: AbortSignal) => {
      const frames = await fetchStoryboard(storyboard, signal);
      const images = new Map<string, HTMLImageElement>();
      for (let index = 0; frames.length > 0 && !signal.aborted; index += 1) {
        const frame = frames[index % frames.length];
        if (!frame || !canvas.current) return;
        const image = images.get(frame.image) ?? (await loadImage(frame.image));
        images.set(frame.image, image);
        if (signal.aborted) return;
        drawFrame(canvas.current, image, frame);
        canvas.current.hidden = false;
        await new Promise((resolve) => setTimeout(resolve, FRAME_MS));
      }
    };
    const enter = () => {
      if (calm.matches || !mouse.matches) return;
      const controller = new AbortController();
      current = controller;
      setTimeout(() => {
        if (!controller.signal.aborted) play(controller.signal).catch(() => undefined);
      }, REST_MS);
    };
    const leave = () => {
      current?.abort();
      if (canvas.current) canvas.current.hidden = true;
    };
    card.addEventListener("mouseenter", enter);
    card.addEventListener("mouseleave", leave);
    return () => {
      leave();
      card.removeEventListener("mouseenter", enter);
      card.removeEventListener("mouseleave", leave);
    };
  }, [storyboard]);
  return <canvas ref={canvas} class="hover-preview" aria-hidden="true" hidden />;
}
