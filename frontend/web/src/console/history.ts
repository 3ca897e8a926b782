/**
 * Reads an execution's history as the states that were entered. Events name their predecessor, which is how it is known to
 * which branch of a Parallel and to which iteration of a Map an event belongs:
 * https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
 *
 * Pure, and lenient: an event that is not understood changes nothing.
 */

import type { ExecutionStatus, HistoryEvent } from "./states-api";

/** Where an entry of a state stands. */
export type VisitStatus = "running" | "succeeded" | "failed" | "caught" | "aborted" | "timed-out";

/** One time that a state was entered. */
export interface Visit {
  /** Id of the event that entered it. */
  id: number;
  name: string;
  /** Type of the state, such as `Task`. */
  type: string;
  status: VisitStatus;
  /** Milliseconds since 1970. */
  enteredAt: number;
  /** Missing while it has not been left. */
  leftAt: number | undefined;
  input: string | undefined;
  output: string | undefined;
  error: string | undefined;
  cause: string | undefined;
  /** Of a Task, such as `lambda:invoke`. */
  resource: string | undefined;
  /** How often its work was started; more than once after retries. */
  attempts: number;
  /** The Parallel or Map it belongs to. */
  parent: Visit | undefined;
  /** Index of the Map iteration it belongs to. */
  iteration: number | undefined;
  /** Ids of its events. */
  events: number[];
}

/** The place in the machine to which an event belongs. */
interface Place {
  /** The state that is open there, if one is. */
  visit: Visit | undefined;
  /** The Parallel or Map around it. */
  parent: Visit | undefined;
  iteration: number | undefined;
}

type Details = Record<string, unknown>;

/** The one field of an event that depends on its type: `taskScheduledEventDetails` and the like. */
export function detailsOf(event: HistoryEvent): Details {
  for (const [name, value] of Object.entries(event)) {
    if (name.endsWith("EventDetails") && typeof value === "object" && value !== null) return value as Details;
  }
  return {};
}

function text(details: Details, name: string): string | undefined {
  const value = details[name];
  return typeof value === "string" ? value : undefined;
}

const OUTSIDE: Place = { visit: undefined, parent: undefined, iteration: undefined };
const STARTED = /^(Task|LambdaFunction|Activity)Scheduled$/;
const UNSUCCESSFUL: ReadonlySet<VisitStatus> = new Set(["failed", "aborted", "timed-out"]);
const FAILED = /(Failed|TimedOut|Aborted)$/;

/** The history as it is read so far. */
export class History {
  /** In the order in which they were entered. */
  readonly visits: Visit[] = [];
  /** Name of the state that each event belongs to. */
  readonly stateOf = new Map<number, string>();
  readonly #places = new Map<number, Place>();
  /** Ids of `ExecutionRedriven` events. */
  readonly #redrives = new Set<number>();
  /** What a redrive goes on with, until its first event has come. */
  #resumed: Visit[] = [];
  /** With what the work of a visit was started last. */
  readonly #scheduled = new Map<Visit, Details>();

  constructor(events: readonly HistoryEvent[]) {
    for (const event of events) this.#read(event);
  }

  #read(event: HistoryEvent): void {
    const previous = event.previousEventId ?? 0;
    const before = this.#redrives.has(previous) ? this.#resume(event) : (this.#places.get(previous) ?? OUTSIDE);
    const place = this.#apply(event, before);
    this.#places.set(event.id, place);
    const visit = place.visit ?? (event.type.endsWith("StateExited") ? before.visit : undefined);
    if (visit) {
      visit.events.push(event.id);
      this.stateOf.set(event.id, visit.name);
    }
  }

  #apply(event: HistoryEvent, before: Place): Place {
    const { type } = event;
    const details = detailsOf(event);
    if (type.endsWith("StateEntered")) return this.#enter(event, details, before);
    if (type.endsWith("StateExited")) return this.#leave(event, details, before);
    if (type.startsWith("Execution")) return this.#execution(event, details, before);
    if (type.startsWith("MapIteration")) return this.#iteration(event, details, before);
    if (/^(Parallel|Map)State(Succeeded|Failed|Aborted)$/.test(type)) return this.#container(event, details, before);
    const { visit } = before;
    if (!visit) return before;
    if (STARTED.test(type)) {
      this.#reopen(visit);
      visit.attempts += 1;
      this.#scheduled.set(visit, details);
      visit.resource = resourceOf(details) ?? visit.resource;
      visit.error = undefined;
      visit.cause = undefined;
    } else if (FAILED.test(type)) {
      visit.error = text(details, "error") ?? (type.endsWith("TimedOut") ? "States.Timeout" : visit.error);
      visit.cause = text(details, "cause") ?? visit.cause;
    } else {
      this.#reopen(visit);
    }
    return before;
  }

  #enter(event: HistoryEvent, details: Details, before: Place): Place {
    const open = before.visit;
    const isContainer = open !== undefined && open.leftAt === undefined && /^(Parallel|Map)$/.test(open.type);
    // The first state of a branch follows its container; every other one follows the state before it.
    const parent = isContainer ? open : before.parent;
    const visit: Visit = {
      id: event.id,
      name: text(details, "name") ?? "?",
      type: event.type.replace(/StateEntered$/, ""),
      status: "running",
      enteredAt: event.timestamp * 1000,
      leftAt: undefined,
      input: text(details, "input"),
      output: undefined,
      error: undefined,
      cause: undefined,
      resource: undefined,
      attempts: 0,
      parent,
      iteration: before.iteration,
      events: [],
    };
    this.visits.push(visit);
    if (parent) this.#reopen(parent);
    return { visit, parent, iteration: before.iteration };
  }

  #leave(event: HistoryEvent, details: Details, before: Place): Place {
    const name = text(details, "name");
    const visit =
      before.visit?.name === name ? before.visit : before.parent?.name === name ? before.parent : before.visit;
    if (!visit) return before;
    visit.leftAt = event.timestamp * 1000;
    visit.output = text(details, "output");
    // It was left after an error: its Catch went on elsewhere.
    visit.status = visit.error === undefined ? "succeeded" : "caught";
    visit.events.push(event.id);
    this.stateOf.set(event.id, visit.name);
    return { visit: undefined, parent: visit.parent, iteration: visit.iteration };
  }

  #iteration(event: HistoryEvent, details: Details, before: Place): Place {
    const name = text(details, "name");
    const map =
      [before.visit, before.parent, before.parent?.parent].find((visit) => visit?.name === name) ?? before.parent;
    const index = typeof details["index"] === "number" ? details["index"] : undefined;
    if (!map) return before;
    if (event.type === "MapIterationFailed" || event.type === "MapIterationAborted") {
      const status = event.type === "MapIterationFailed" ? "failed" : "aborted";
      for (const visit of this.visits) {
        if (visit.parent === map && visit.iteration === index) this.#close(visit, event, status);
      }
    }
    // Inside the iteration while it runs; beside the Map's other iterations afterwards.
    const started = event.type === "MapIterationStarted";
    return { visit: map, parent: map.parent, iteration: started ? index : map.iteration };
  }

  #container(event: HistoryEvent, details: Details, before: Place): Place {
    const prefix = event.type.startsWith("Map") ? "Map" : "Parallel";
    let visit = before.visit;
    let around = before.parent;
    while (visit?.type !== prefix || visit.leftAt !== undefined) {
      if (!around) return before;
      visit = around;
      around = around.parent;
    }
    if (!event.type.endsWith("Succeeded")) {
      visit.error =
        text(details, "error") ?? visit.error ?? (event.type.endsWith("Failed") ? "States.TaskFailed" : undefined);
      visit.cause = text(details, "cause") ?? visit.cause;
      const culprit = before.visit;
      for (const child of this.#inside(visit)) this.#close(child, event, child === culprit ? "failed" : "aborted");
    }
    return { visit, parent: visit.parent, iteration: visit.iteration };
  }

  #execution(event: HistoryEvent, details: Details, before: Place): Place {
    if (event.type === "ExecutionRedriven") {
      this.#redrive(event);
      return OUTSIDE;
    }
    const ended = { ExecutionFailed: "failed", ExecutionTimedOut: "timed-out", ExecutionAborted: "aborted" } as const;
    const status = ended[event.type as keyof typeof ended];
    if (!status) return event.type === "ExecutionStarted" ? OUTSIDE : before;
    const culprits = new Set<Visit>();
    if (status === "failed") {
      for (let visit = before.visit ?? before.parent; visit; visit = visit.parent) culprits.add(visit);
      // A failure without a predecessor among the open states: the one that was entered last has failed.
      const last = this.visits.findLast((visit) => visit.leftAt === undefined);
      if (culprits.size === 0 && last) culprits.add(last);
    }
    for (const visit of this.visits) {
      if (visit.leftAt !== undefined) continue;
      const isCulprit = culprits.has(visit);
      if (isCulprit) {
        visit.error ??= text(details, "error");
        visit.cause ??= text(details, "cause");
      }
      this.#close(visit, event, status === "failed" && !isCulprit ? "aborted" : status);
    }
    return before;
  }

  #inside(container: Visit): Visit[] {
    return this.visits.filter((visit) => {
      for (let around = visit.parent; around; around = around.parent) if (around === container) return true;
      return false;
    });
  }

  #close(visit: Visit, event: HistoryEvent, status: VisitStatus): void {
    if (visit.leftAt !== undefined) return;
    visit.leftAt = event.timestamp * 1000;
    visit.status = status;
  }

  /** A redrive goes on with every state that did not succeed; a Fail state is entered anew. */
  #redrive(event: HistoryEvent): void {
    this.#redrives.add(event.id);
    const unsuccessful = (visit: Visit): boolean =>
      UNSUCCESSFUL.has(visit.status) && (visit.parent === undefined || unsuccessful(visit.parent));
    const found = this.visits.filter(unsuccessful);
    const containers = new Set(found.map((visit) => visit.parent));
    this.#resumed = found.filter((visit) => !containers.has(visit));
    for (const visit of this.#resumed) if (visit.type !== "Fail") this.#reopen(visit);
  }

  /**
   * The place of an event that follows a redrive directly. Several may, one for each branch that goes on, so the state is
   * told by its name where the event has one, and else by what its work was started with before.
   */
  #resume(event: HistoryEvent): Place {
    const details = detailsOf(event);
    const name = text(details, "name");
    if (event.type.startsWith("MapIteration")) {
      const map = this.visits.findLast((visit) => visit.type === "Map" && visit.name === name);
      return map ? { visit: map, parent: map.parent, iteration: map.iteration } : OUTSIDE;
    }
    const likeness = (visit: Visit) => {
      if (name !== undefined) return visit.name === name ? 1 : 0;
      const before = this.#scheduled.get(visit);
      return before ? 1 + alike(before, details) : 0.5;
    };
    let best: Visit | undefined;
    for (const visit of this.#resumed) if (likeness(visit) > (best ? likeness(best) : 0)) best = visit;
    if (!best) return OUTSIDE;
    this.#resumed = this.#resumed.filter((visit) => visit !== best);
    const entered = event.type.endsWith("StateEntered");
    return { visit: entered ? undefined : best, parent: best.parent, iteration: best.iteration };
  }

  /** A redrive goes on with states that had ended. */
  #reopen(visit: Visit): void {
    for (let open: Visit | undefined = visit; open; open = open.parent) {
      if (open.status === "succeeded" || open.status === "caught") return;
      if (open.status !== "running") {
        open.status = "running";
        open.leftAt = undefined;
        open.error = undefined;
        open.cause = undefined;
      }
    }
  }
}

/** How much two starts of work have in common. A task token makes the parameters of the same work differ. */
function alike(a: Details, b: Details): number {
  const same = (field: string) => (a[field] !== undefined && a[field] === b[field] ? 1 : 0);
  const sameFunction = functionOf(a) !== undefined && functionOf(a) === functionOf(b) ? 1 : 0;
  return same("resourceType") + same("resource") + same("parameters") + same("input") + sameFunction;
}

function functionOf(details: Details): unknown {
  try {
    return (JSON.parse(text(details, "parameters") ?? "{}") as Details)["FunctionName"];
  } catch {
    return undefined;
  }
}

function resourceOf(details: Details): string | undefined {
  const kind = text(details, "resourceType");
  const resource = text(details, "resource");
  return kind && resource ? `${kind}:${resource}` : resource;
}

/** Status of every state that was entered, for the graph: of its latest visit, or the gravest of those side by side. */
export function statusByState(visits: readonly Visit[]): Map<string, VisitStatus> {
  const latest = new Map<string, Map<string, Visit>>();
  for (const visit of visits) {
    const places = latest.get(visit.name) ?? new Map<string, Visit>();
    places.set(`${visit.parent?.id ?? ""} ${visit.iteration ?? ""}`, visit);
    latest.set(visit.name, places);
  }
  const result = new Map<string, VisitStatus>();
  for (const [name, places] of latest) {
    const all = [...places.values()];
    // Of a state inside a container that was entered again, only the container's latest visit counts.
    const newest = Math.max(...all.map((visit) => visit.parent?.id ?? 0));
    const current = all.filter((visit) => (visit.parent?.id ?? 0) === newest).map((visit) => visit.status);
    result.set(name, GRAVEST_FIRST.find((status) => current.includes(status)) ?? "succeeded");
  }
  return result;
}

const GRAVEST_FIRST: readonly VisitStatus[] = ["running", "failed", "timed-out", "caught", "aborted", "succeeded"];

/** Whether more events may come. */
export function mayGoOn(status: ExecutionStatus): boolean {
  return status === "RUNNING" || status === "PENDING_REDRIVE";
}
