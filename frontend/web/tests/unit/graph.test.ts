import { describe, expect, test } from "vitest";
import { allStates, type Machine, parseDefinition } from "../../src/console/definition";
import { type Box, END, layout, START } from "../../src/console/layout";
import { PUBLISH } from "../fixtures/publish";

function machineOf(definition: unknown): Machine {
  const machine = parseDefinition(typeof definition === "string" ? definition : JSON.stringify(definition));
  if (!machine) throw new Error("not a machine");
  return machine;
}

/** Less than anyone sees; sums of fractions are not exact. */
const SLACK = 0.01;

const inside = (inner: Box, outer: Box) =>
  inner.x >= outer.x - SLACK &&
  inner.y >= outer.y - SLACK &&
  inner.x + inner.width <= outer.x + outer.width + SLACK &&
  inner.y + inner.height <= outer.y + outer.height + SLACK;

const apart = (a: Box, b: Box) =>
  a.x + a.width <= b.x + SLACK ||
  b.x + b.width <= a.x + SLACK ||
  a.y + a.height <= b.y + SLACK ||
  b.y + b.height <= a.y + SLACK;

/** What every drawing holds: each state once, nothing overlaps but a container and its contents, all inside the frame. */
function check(machine: Machine) {
  const drawing = layout(machine);
  const states = allStates(machine);
  expect(drawing.boxes.map(({ id }) => id).sort()).toEqual([...states.keys(), START, END].sort());
  const parents = new Map<string, string>();
  for (const [name, state] of states) {
    for (const part of state.machines) for (const child of part.states) parents.set(child.name, name);
  }
  const isWithin = (id: string, ancestor: string): boolean => {
    const parent = parents.get(id);
    return parent !== undefined && (parent === ancestor || isWithin(parent, ancestor));
  };
  const frame = { id: "", x: 0, y: 0, width: drawing.width, height: drawing.height, state: undefined, container: true };
  for (const box of drawing.boxes) {
    expect(inside(box, frame), `${box.id} inside the frame`).toBe(true);
    for (const other of drawing.boxes) {
      if (box === other || isWithin(other.id, box.id)) continue;
      if (isWithin(box.id, other.id)) expect(inside(box, other), `${box.id} inside ${other.id}`).toBe(true);
      else expect(apart(box, other), `${box.id} apart from ${other.id}`).toBe(true);
    }
  }
  for (const edge of drawing.edges) expect(edge.path).toMatch(/^M-?[\d.]+,-?[\d.]+[LCQ]/);
  return drawing;
}

describe("definitions", () => {
  test("transitions of every kind", () => {
    const machine = machineOf({
      StartAt: "Choose",
      States: {
        Choose: { Type: "Choice", Choices: [{ Next: "A" }, { Next: "B" }], Default: "C" },
        A: { Type: "Task", Next: "C", Catch: [{ ErrorEquals: ["States.ALL"], Next: "B" }] },
        B: { Type: "Fail" },
        C: { Type: "Succeed" },
      },
    });
    const kinds = machine.states.flatMap(({ name, transitions }) =>
      transitions.map(({ to, kind }) => `${name} ${kind} ${to}`),
    );
    expect(kinds).toEqual(["Choose choice A", "Choose choice B", "Choose default C", "A next C", "A catch B"]);
    expect(machine.states.filter(({ ends }) => ends).map(({ name }) => name)).toEqual(["B", "C"]);
  });

  test.each(["", "[]", "{}", '{"StartAt": "A"}', '{"StartAt": "A", "States": []}', "null"])("%j is none", (text) =>
    expect(parseDefinition(text)).toBeUndefined(),
  );

  test("nonsense inside is left out", () => {
    const machine = machineOf({
      StartAt: "A",
      States: { A: { Type: 7, Next: {}, Choices: "x", Branches: [null, {}] }, B: null },
    });
    expect(machine.states).toMatchObject([
      { name: "A", type: "?", transitions: [], machines: [] },
      { name: "B", type: "?", transitions: [], machines: [] },
    ]);
    check(machine);
  });
});

describe("layout", () => {
  test("the publish machine", () => {
    const { boxes, edges } = check(machineOf(PUBLISH));
    const box = (id: string) => boxes.find((candidate) => candidate.id === id) as Box;
    const below = [
      "AdmitUpload",
      "ProbeSource",
      "TranscodeAndPrepareDelivery",
      "IngestAsset",
      "VerifyPlayback",
      "RecordCatalog",
      END,
    ];
    for (let index = 1; index < below.length; index += 1) {
      expect(box(below[index] ?? "").y).toBeGreaterThan(box(below[index - 1] ?? "").y);
    }
    expect(box("TranscodeAndPrepareDelivery").container).toBe(true);
    expect(edges.find(({ to }) => to === "AlreadyAdmitted")?.kind).toBe("catch");
  });

  test("loops, self-loops, unreachable states and dead ends", () => {
    const machine = machineOf({
      StartAt: "Look",
      States: {
        Look: { Type: "Task", Next: "Done?", Retry: [] },
        "Done?": { Type: "Choice", Choices: [{ Next: "Done" }, { Next: "Look" }], Default: "Pause" },
        Pause: { Type: "Wait", Next: "Look" },
        Again: { Type: "Pass", Next: "Again" },
        Lost: { Type: "Pass", Next: "Nowhere" },
        Done: { Type: "Succeed" },
      },
    });
    const { edges } = check(machine);
    expect(
      edges
        .filter(({ to }) => to === "Look")
        .map(({ from }) => from)
        .sort(),
    ).toEqual(["Done?", "Pause", START].sort());
  });

  test("a start that does not exist", () => {
    check(machineOf({ StartAt: "Missing", States: { A: { Type: "Pass", End: true } } }));
  });

  test("a long chain is laid out without running out of stack", () => {
    const names = Array.from({ length: 3_000 }, (_, index) => `State${index}`);
    const states = names.map((name, index) => [
      name,
      { Type: "Pass", Next: names[index + 1] ?? "none", End: index === 2_999 },
    ]);
    const drawing = layout(machineOf({ StartAt: "State0", States: Object.fromEntries(states) }));
    expect(drawing.boxes).toHaveLength(3_002);
  });

  test("machines of every shape", () => {
    // A small generator with a fixed seed: failures repeat.
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * below);
    };
    let next = 0;
    const part = (depth: number): object => {
      const names = Array.from({ length: 1 + random(7) }, () => `State${next++}${"x".repeat(random(20))}`);
      const any = () => names[random(names.length)];
      const states = names.map((name) => {
        const kind = random(depth > 0 ? 6 : 4);
        if (kind === 0) return [name, { Type: "Choice", Choices: [{ Next: any() }, { Next: any() }], Default: any() }];
        if (kind === 1) return [name, { Type: "Succeed" }];
        if (kind === 4) return [name, { Type: "Parallel", Branches: [part(depth - 1), part(depth - 1)], Next: any() }];
        if (kind === 5) return [name, { Type: "Map", ItemProcessor: part(depth - 1), End: true }];
        return [name, { Type: "Task", Next: any(), Catch: [{ ErrorEquals: ["States.ALL"], Next: any() }] }];
      });
      return { StartAt: names[0], States: Object.fromEntries(states) };
    };
    for (let round = 0; round < 150; round += 1) check(machineOf(part(2)));
  });
});
