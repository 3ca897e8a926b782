// Runs before the first paint, so that a page never flashes in the wrong theme. The switch is src/ui/theme.ts.
try {
  const chosen = localStorage.getItem("vodline.theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is refused: the system's theme it is.
}
