/** How much of something is done. */

/** A bar; `share` from 0 to 1. */
export function Meter({ share, label }: { share: number; label: string }) {
  const percent = Math.round(Math.min(1, Math.max(0, share)) * 100);
  return (
    <div
      class="meter"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
    >
      <div ref={(bar) => bar?.style.setProperty("--share", String(percent / 100))} />
    </div>
  );
}
