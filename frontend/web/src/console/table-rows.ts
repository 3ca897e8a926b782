/** The visits of an execution as rows of a table, with Parallel and Map states to open and close. Pure. */

import type { Visit, VisitStatus } from "./history";

/** A row: a visit, or an iteration of a Map, which groups visits. */
export interface Row {
  key: string;
  depth: number;
  label: string;
  type: string;
  status: VisitStatus;
  /** Milliseconds after the execution's start. */
  startedAfterMs: number;
  /** Milliseconds so far. */
  durationMs: number;
  /** Missing for iterations. */
  visit: Visit | undefined;
  /** Whether it can be opened; if so, whether it is. */
  open: boolean | undefined;
}

/** The rows that are to be seen. `closed` holds keys of rows that were closed. */
export function tableRows(
  visits: readonly Visit[],
  startMs: number,
  nowMs: number,
  closed: ReadonlySet<string>,
): Row[] {
  const children = new Map<Visit | undefined, Visit[]>();
  for (const visit of visits) children.set(visit.parent, [...(children.get(visit.parent) ?? []), visit]);
  const rows: Row[] = [];

  const addVisit = (visit: Visit, depth: number) => {
    const key = `visit-${visit.id}`;
    const inside = children.get(visit) ?? [];
    const open = inside.length > 0 ? !closed.has(key) : undefined;
    rows.push({
      key,
      depth,
      label: visit.name,
      type: visit.type,
      status: visit.status,
      startedAfterMs: visit.enteredAt - startMs,
      durationMs: (visit.leftAt ?? nowMs) - visit.enteredAt,
      visit,
      open,
    });
    if (!open) return;
    if (visit.type === "Map") addIterations(visit, inside, depth + 1);
    else for (const child of inside) addVisit(child, depth + 1);
  };

  const addIterations = (map: Visit, inside: readonly Visit[], depth: number) => {
    const iterations = new Map<number, Visit[]>();
    for (const visit of inside) {
      const index = visit.iteration ?? 0;
      iterations.set(index, [...(iterations.get(index) ?? []), visit]);
    }
    for (const [index, members] of [...iterations].sort(([a], [b]) => a - b)) {
      const key = `iteration-${map.id}-${index}`;
      const open = !closed.has(key);
      const enteredAt = Math.min(...members.map((visit) => visit.enteredAt));
      const leftAt = Math.max(...members.map((visit) => visit.leftAt ?? nowMs));
      rows.push({
        key,
        depth,
        label: `Iteration ${index}`,
        type: "Iteration",
        status: members.at(-1)?.status ?? "running",
        startedAfterMs: enteredAt - startMs,
        durationMs: leftAt - enteredAt,
        visit: undefined,
        open,
      });
      if (open) for (const visit of members) addVisit(visit, depth + 1);
    }
  };

  for (const visit of children.get(undefined) ?? []) addVisit(visit, 0);
  return rows;
}
