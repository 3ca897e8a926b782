/** Puts a page into its document. */

import { type ComponentChild, render } from "preact";
import "../styles/components.css";

/** Renders into `#app`. */
export function mount(page: ComponentChild): void {
  const root = document.getElementById("app");
  if (root) render(page, root);
}
