import type { JSX as Preact } from "preact";

declare module "preact" {
  namespace JSX {
    interface IntrinsicElements {
      "vod-player": Preact.HTMLAttributes<HTMLElement> & {
        src: string;
        label: string;
        "video-id": string;
        poster?: string | undefined;
        storyboard?: string | undefined;
        start?: number | undefined;
      };
    }
  }
}
