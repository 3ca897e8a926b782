/** The machine as a drawing, coloured by how its states stand. */

import { useMemo, useRef } from "preact/hooks";
import { iconPath } from "../../ui/icon";
import { LOOKS, type Look } from "../../ui/status";
import type { Machine } from "../definition";
import type { VisitStatus } from "../history";
import { type Box, END, layout, START } from "../layout";

const MARGIN = 16;
const ICON_SIZE = 18;
/** Of a container. */
const HEAD_HEIGHT = 40;
const LABEL_CHARACTERS_MAX = 40;

interface GraphProps {
  machine: Machine;
  /** Whether the execution has come to its end. */
  ended: boolean;
  statuses: ReadonlyMap<string, VisitStatus>;
  selected: string | undefined;
  onSelect: (name: string) => void;
}

function shorten(text: string): string {
  return text.length > LABEL_CHARACTERS_MAX ? `${text.slice(0, LABEL_CHARACTERS_MAX - 1)}…` : text;
}

/** The drawing. One tab stop; the arrow keys go to the next state in their direction, Enter selects. */
export function Graph({ machine, ended, statuses, selected, onSelect }: GraphProps) {
  const drawing = useMemo(() => layout(machine), [machine]);
  const svg = useRef<SVGSVGElement>(null);
  const states = drawing.boxes.filter((box) => box.state);
  const tabStop = states.some((box) => box.id === selected) ? selected : states[0]?.id;

  const entered = (id: string) => statuses.has(id) || (id === START && statuses.size > 0) || (id === END && ended);
  const focus = (box: Box | undefined) => {
    const index = box ? states.indexOf(box) : -1;
    svg.current?.querySelector<SVGGElement>(`[data-index="${index}"]`)?.focus();
  };
  const onKeyDown = (event: KeyboardEvent, box: Box) => {
    if (event.key === "Enter" || event.key === " ") onSelect(box.id);
    else if (event.key.startsWith("Arrow")) focus(nearest(box, states, event.key));
    else return;
    event.preventDefault();
  };

  return (
    <div class="graph">
      <div class="graph-scroll">
        <svg
          ref={svg}
          viewBox={`${-MARGIN} ${-MARGIN} ${drawing.width + 2 * MARGIN} ${drawing.height + 2 * MARGIN}`}
          width={drawing.width + 2 * MARGIN}
          height={drawing.height + 2 * MARGIN}
          role="group"
          aria-label="States of the machine"
        >
          <defs>
            {["arrow", "arrow-taken"].map((id) => (
              <marker
                key={id}
                id={id}
                viewBox="0 0 8 8"
                refX="7"
                refY="4"
                markerWidth="9"
                markerHeight="9"
                markerUnits="userSpaceOnUse"
                orient="auto"
              >
                <path class={`graph-${id}`} d="M0,0L8,4L0,8z" />
              </marker>
            ))}
          </defs>
          {drawing.boxes
            .filter((box) => box.container)
            .map((box) => (
              <rect
                key={box.id}
                class="graph-container"
                x={box.x}
                y={box.y}
                width={box.width}
                height={box.height}
                rx={12}
              />
            ))}
          {drawing.edges.map((edge) => {
            const taken = entered(edge.from) && entered(edge.to);
            return (
              <path
                key={`${edge.from} ${edge.to}`}
                class={`graph-edge ${edge.kind} ${taken ? "taken" : ""}`}
                d={edge.path}
                marker-end={taken ? "url(#arrow-taken)" : "url(#arrow)"}
              />
            );
          })}
          {drawing.boxes.map((box) =>
            box.state ? (
              <StateBox
                key={box.id}
                box={box}
                index={states.indexOf(box)}
                look={statuses.get(box.id) ?? "idle"}
                selected={box.id === selected}
                tabStop={box.id === tabStop}
                onSelect={() => onSelect(box.id)}
                onKeyDown={(event) => onKeyDown(event, box)}
              />
            ) : (
              <Terminal key={box.id} box={box} />
            ),
          )}
        </svg>
      </div>
      <Legend />
    </div>
  );
}

interface StateBoxProps {
  box: Box;
  index: number;
  look: Look;
  selected: boolean;
  tabStop: boolean;
  onSelect: () => void;
  onKeyDown: (event: KeyboardEvent) => void;
}

function StateBox({ box, index, look, selected, tabStop, onSelect, onKeyDown }: StateBoxProps) {
  const { icon, words } = LOOKS[look];
  const type = box.state?.type ?? "";
  // Of a container only the head is the button; the rest belongs to the states inside.
  const height = box.container ? HEAD_HEIGHT : box.height;
  return (
    <g
      class={`graph-state ${look} ${selected ? "selected" : ""}`}
      transform={`translate(${box.x} ${box.y})`}
      role="button"
      tabindex={tabStop ? 0 : -1}
      data-index={index}
      aria-label={`${box.id}, ${type}, ${words}`}
      aria-pressed={selected}
      onClick={onSelect}
      onKeyDown={onKeyDown}
    >
      <title>{box.id}</title>
      <rect width={box.width} height={height} rx={10} />
      <g transform={`translate(14 ${(height - ICON_SIZE) / 2})`}>
        <path class="graph-icon" transform={`scale(${ICON_SIZE / 24})`} d={iconPath(icon)} />
      </g>
      <text x={44} y={height / 2 - 4} class="graph-name">
        {shorten(box.id)}
      </text>
      <text x={44} y={height / 2 + 13} class="graph-type">
        {type}
      </text>
    </g>
  );
}

function Terminal({ box }: { box: Box }) {
  return (
    <g class="graph-terminal" transform={`translate(${box.x + box.width / 2} ${box.y + box.height / 2})`}>
      <circle r={box.width / 2} />
      <text text-anchor="middle" y={4}>
        {box.id === START ? "Start" : "End"}
      </text>
    </g>
  );
}

function Legend() {
  const shown: Look[] = ["running", "succeeded", "failed", "caught", "aborted", "idle"];
  return (
    <ul class="graph-legend" aria-label="Legend">
      {shown.map((look) => (
        <li key={look}>
          <svg class={`graph-state ${look}`} viewBox="0 0 24 24" aria-hidden="true">
            <path class="graph-icon" d={iconPath(LOOKS[look].icon)} />
          </svg>
          {LOOKS[look].words}
        </li>
      ))}
      <li>
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path class="graph-edge catch" d="M1,12L23,12" />
        </svg>
        Catch
      </li>
    </ul>
  );
}

/**
 * The nearest state in the direction of an arrow key. Up and down go to the next layer even if it lies aside; left and right
 * stay in theirs if they can.
 */
function nearest(from: Box, boxes: readonly Box[], key: string): Box | undefined {
  const centre = (box: Box) => ({
    x: box.x + box.width / 2,
    y: box.y + (box.container ? HEAD_HEIGHT : box.height) / 2,
  });
  const here = centre(from);
  const vertical = key === "ArrowUp" || key === "ArrowDown";
  const sign = key === "ArrowDown" || key === "ArrowRight" ? 1 : -1;
  const asideWeight = vertical ? 0.5 : 4;
  let best: Box | undefined;
  let shortest = Number.POSITIVE_INFINITY;
  for (const box of boxes) {
    const there = centre(box);
    const along = (vertical ? there.y - here.y : there.x - here.x) * sign;
    const aside = Math.abs(vertical ? there.x - here.x : there.y - here.y);
    const distance = along + asideWeight * aside;
    if (along > 1 && distance < shortest) [best, shortest] = [box, distance];
  }
  return best;
}
