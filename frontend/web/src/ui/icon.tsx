/** The site's icons: strokes on a 24 x 24 field. They are decoration; the words beside them carry the meaning. */

const PATHS = {
  ban: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM5.7 5.7l12.6 12.6",
  check: "M5 12.5l4.6 4.5L19 7.5",
  chevron: "M9 6l6 6-6 6",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3.2 2",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h10v11H9zM5 15V4h10",
  cross: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  dot: "M12 12.5a.5.5 0 1 0 0-1 .5.5 0 0 0 0 1z",
  download: "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 9.7h4M4 14.3h4M16 9.7h4M16 14.3h4",
  keyboard: "M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M18 10h.01M8 14h8",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1.2 1.2M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1.2-1.2",
  minus: "M6 12h12",
  moon: "M20 14.5A8.5 8.5 0 1 1 9.5 4a6.8 6.8 0 0 0 10.5 10.5z",
  pause: "M8 5v14M16 5v14",
  play: "M8 5l11 7-11 7z",
  plus: "M12 5v14M5 12h14",
  redo: "M20 6v5h-5M19.5 11A8 8 0 1 0 20 14",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16.2 16.2L21 21",
  spinner: "M12 3a9 9 0 1 0 9 9",
  stop: "M6.5 6.5h11v11h-11z",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  upload: "M12 16V5M7.5 9L12 4.5 16.5 9M5 20h14",
  warning: "M12 4L2.5 20h19zM12 10v4.5M12 17.3v.01",
} as const;

/** Which icons there are. */
export type IconName = keyof typeof PATHS;

/** One icon, hidden from assistive technology. */
export function Icon({ name, class: extra = "" }: { name: IconName; class?: string }) {
  return (
    <svg class={`icon ${extra}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The bare path, for drawings that place it themselves. */
export function iconPath(name: IconName): string {
  return PATHS[name];
}
