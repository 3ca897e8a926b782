/** Reads from a definition what the graph needs. Lenient: what is not understood is left out, never an error. */

/** Where a state leads. */
export interface Transition {
  to: string;
  kind: "next" | "choice" | "default" | "catch";
}

/** A state. */
export interface StateDefinition {
  name: string;
  type: string;
  /** As it is written in the definition. */
  source: unknown;
  transitions: Transition[];
  /** Whether the machine may end after it. */
  ends: boolean;
  /** The branches of a Parallel, the processor of a Map. */
  machines: Machine[];
}

/** A machine or a part of one. */
export interface Machine {
  startAt: string;
  states: StateDefinition[];
}

type Json = Record<string, unknown>;

function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

/** Reads a definition; nothing if it is not JSON or has no states. */
export function parseDefinition(text: string): Machine | undefined {
  try {
    return machineOf(object(JSON.parse(text)));
  } catch {
    return undefined;
  }
}

function machineOf(source: Json): Machine | undefined {
  const states = Object.entries(object(source["States"])).map(([name, state]) => stateOf(name, object(state)));
  const startAt = source["StartAt"];
  if (typeof startAt !== "string" || states.length === 0) return undefined;
  return { startAt, states };
}

function stateOf(name: string, source: Json): StateDefinition {
  const type = typeof source["Type"] === "string" ? source["Type"] : "?";
  const transitions: Transition[] = [];
  const add = (to: unknown, kind: Transition["kind"]) => {
    if (typeof to === "string") transitions.push({ to, kind });
  };
  add(source["Next"], "next");
  for (const choice of list(source["Choices"])) add(choice["Next"], "choice");
  add(source["Default"], "default");
  for (const catcher of list(source["Catch"])) add(catcher["Next"], "catch");
  const parts = [...list(source["Branches"]), object(source["ItemProcessor"]), object(source["Iterator"])];
  return {
    name,
    type,
    source,
    transitions,
    ends: source["End"] === true || type === "Succeed" || type === "Fail",
    machines: parts.map(machineOf).filter((machine) => machine !== undefined),
  };
}

/** Every state, those inside of others included. Names are unique within a definition. */
export function allStates(machine: Machine): Map<string, StateDefinition> {
  const found = new Map<string, StateDefinition>();
  const visit = (part: Machine) => {
    for (const state of part.states) {
      found.set(state.name, state);
      state.machines.forEach(visit);
    }
  };
  visit(machine);
  return found;
}
