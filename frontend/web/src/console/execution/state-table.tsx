/** The states of the execution as a table with a timeline. */

import { useState } from "preact/hooks";
import { formatElapsed } from "../../format/time";
import { Icon } from "../../ui/icon";
import { Status } from "../../ui/status";
import type { Visit } from "../history";
import { type Row, tableRows } from "../table-rows";

const ROWS_SHOWN = 500;

interface StateTableProps {
  visits: readonly Visit[];
  startMs: number;
  endMs: number;
  selected: string | undefined;
  onSelect: (name: string) => void;
}

/** The table. */
export function StateTable({ visits, startMs, endMs, selected, onSelect }: StateTableProps) {
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const [limit, setLimit] = useState(ROWS_SHOWN);
  const rows = tableRows(visits, startMs, endMs, closed);
  const totalMs = Math.max(1, endMs - startMs);
  const toggle = (key: string) => {
    const next = new Set(closed);
    if (!next.delete(key)) next.add(key);
    setClosed(next);
  };
  if (rows.length === 0) return <p class="soft">No state was entered yet.</p>;
  return (
    <div class="table-scroll" role="region" aria-label="States" tabIndex={0}>
      <table class="table">
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Type</th>
            <th scope="col">Status</th>
            <th scope="col" class="number">
              Started after
            </th>
            <th scope="col" class="number">
              Duration
            </th>
            <th scope="col">Timeline</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, limit).map((row) => (
            <TableRow
              key={row.key}
              row={row}
              totalMs={totalMs}
              selected={row.visit?.name === selected}
              onSelect={onSelect}
              onToggle={() => toggle(row.key)}
            />
          ))}
        </tbody>
      </table>
      {rows.length > limit && (
        <button type="button" class="button" onClick={() => setLimit(limit + ROWS_SHOWN)}>
          Show more
        </button>
      )}
    </div>
  );
}

interface TableRowProps {
  row: Row;
  totalMs: number;
  selected: boolean;
  onSelect: (name: string) => void;
  onToggle: () => void;
}

function TableRow({ row, totalMs, selected, onSelect, onToggle }: TableRowProps) {
  return (
    <tr class={selected ? "selected" : ""}>
      <th scope="row">
        <span class="tree" ref={(cell) => cell?.style.setProperty("--depth", String(row.depth))}>
          {row.open === undefined ? (
            <span class="tree-space" />
          ) : (
            <button
              type="button"
              class="button plain tree-toggle"
              aria-expanded={row.open}
              aria-label={`${row.open ? "Close" : "Open"} ${row.label}`}
              onClick={onToggle}
            >
              <Icon name="chevron" class={row.open ? "open" : ""} />
            </button>
          )}
          {row.visit ? (
            <button type="button" class="link" aria-pressed={selected} onClick={() => onSelect(row.label)}>
              {row.label}
            </button>
          ) : (
            row.label
          )}
        </span>
      </th>
      <td>{row.type}</td>
      <td>
        <Status look={row.status} />
      </td>
      <td class="number">{formatElapsed(row.startedAfterMs)}</td>
      <td class="number">{formatElapsed(row.durationMs)}</td>
      <td>
        <div class="timeline" aria-hidden="true">
          <div
            class={row.status}
            ref={(bar) => {
              bar?.style.setProperty("--from", String(row.startedAfterMs / totalMs));
              bar?.style.setProperty("--share", String(row.durationMs / totalMs));
            }}
          />
        </div>
      </td>
    </tr>
  );
}
