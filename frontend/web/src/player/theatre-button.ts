/** A button of the control bar that asks for theatre mode. */

import videojs from "video.js";

const Button = videojs.getComponent("Button") as unknown as new (
  player: unknown,
  options: object,
) => {
  el(): Element;
  controlText(text: string): void;
};

const SVG = "http://www.w3.org/2000/svg";

class TheatreButton extends Button {
  constructor(player: unknown, options: object) {
    super(player, options);
    this.controlText("Theatre mode");
    const drawing = document.createElementNS(SVG, "svg");
    drawing.setAttribute("viewBox", "0 0 24 24");
    drawing.setAttribute("class", "vod-theatre-icon");
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", "M3 7h18v10H3z");
    drawing.append(path);
    this.el().querySelector(".vjs-icon-placeholder")?.append(drawing);
  }

  buildCSSClass(): string {
    return "vjs-control vjs-button vod-theatre-button";
  }

  handleClick(): void {
    this.el().dispatchEvent(new CustomEvent("vod-theatre", { bubbles: true }));
  }
}

videojs.registerComponent("VodTheatreButton", TheatreButton as never);
