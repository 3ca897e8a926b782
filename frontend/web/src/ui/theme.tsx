/** Dark or light: the system's choice until someone makes another. public/theme.js applies it before the first paint. */

import { useEffect, useState } from "preact/hooks";
import { remember } from "./storage";
import { Icon } from "./icon";

type Theme = "dark" | "light";

const DARK = "(prefers-color-scheme: dark)";

function current(): Theme {
  const chosen = document.documentElement.dataset["theme"];
  if (chosen === "dark" || chosen === "light") return chosen;
  return matchMedia(DARK).matches ? "dark" : "light";
}

/** A button that changes to the other theme. */
export function ThemeSwitch() {
  const [theme, setTheme] = useState(current);
  useEffect(() => {
    const query = matchMedia(DARK);
    const follow = () => setTheme(current());
    query.addEventListener("change", follow);
    return () => query.removeEventListener("change", follow);
  }, []);
  const other: Theme = theme === "dark" ? "light" : "dark";
  const change = () => {
    document.documentElement.dataset["theme"] = other;
    remember("vodline.theme", other);
    setTheme(other);
  };
  return (
    <button type="button" class="button plain square" onClick={change} aria-label={`Change to ${other} theme`}>
      <Icon name={theme === "dark" ? "sun" : "moon"} />
    </button>
  );
}
