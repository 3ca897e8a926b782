/**
 * Lays out a machine from top to bottom, in layers: each state below all that lead to it. Parallel and Map states are boxes
 * that hold the layouts of their parts. Pure: a definition in, rectangles and paths out.
 *
 * The classic steps (Sugiyama and others, 1981): cut cycles, rank by longest path, route long edges through dummies, order
 * each layer by the barycentre of its neighbours, place each as near to its neighbours as its layer's order allows.
 */

import type { Machine, StateDefinition, Transition } from "./definition";

/** Start and end of the whole machine; state names cannot hold control characters, so they cannot be mistaken for one. */
export const START = "\u0001start";
export const END = "\u0001end";

/** A rectangle of the drawing. */
export interface Box {
  /** The state's name, or START or END. */
  id: string;
  x: number;
  y: number;
  width: number;
  height: number;
  state: StateDefinition | undefined;
  /** Whether it holds others. */
  container: boolean;
}

/** A line from one box to another. */
export interface Edge {
  from: string;
  to: string;
  kind: Transition["kind"];
  /** An SVG path. */
  path: string;
}

/** A drawing, from (0, 0) to (width, height). */
export interface Drawing {
  width: number;
  height: number;
  /** Containers come before what they hold. */
  boxes: Box[];
  edges: Edge[];
}

const NODE_HEIGHT = 52;
const NODE_WIDTH_MIN = 168;
/** Of a character of the label, at its size. */
const CHARACTER_WIDTH = 8.7;
const LABEL_PADDING = 64;
const LABEL_CHARACTERS_MAX = 40;
const TERMINAL_SIZE = 44;
const LAYER_GAP = 44;
const NODE_GAP = 28;
const PART_PADDING = 18;
const PART_HEADER = 58;
const DUMMY_WIDTH = 10;
/** Between lines that lead back up, at the right side. */
const LANE_WIDTH = 18;
const ORDER_SWEEPS = 8;
const PLACE_SWEEPS = 12;

interface Node {
  id: string;
  width: number;
  height: number;
  layer: number;
  /** Centre. */
  x: number;
  state: StateDefinition | undefined;
  inner: Drawing | undefined;
  isDummy: boolean;
}

interface Link {
  from: string;
  to: string;
  kind: Transition["kind"];
}

/** Lays out a whole machine, with its start and its end. */
export function layout(machine: Machine): Drawing {
  return layoutPart(machine, true);
}

function layoutPart(machine: Machine, withTerminals: boolean): Drawing {
  const nodes = new Map<string, Node>();
  for (const state of machine.states) nodes.set(state.name, nodeOf(state));
  const links = linksOf(machine, nodes);
  if (withTerminals) addTerminals(machine, nodes, links);

  const roots = [withTerminals ? START : machine.startAt, ...nodes.keys()];
  const { sequence, back } = cutCycles(roots, nodes, links);
  const forward = links.filter((link) => !back.has(link));
  rank(sequence, nodes, forward);
  const { layers, segments, chains } = routeLongLinks(sequence, nodes, forward);
  orderLayers(layers, segments);
  place(layers, segments);
  return draw(nodes, layers, chains, [...back]);
}

function nodeOf(state: StateDefinition): Node {
  const base = { id: state.name, layer: 0, x: 0, state, isDummy: false };
  const characters = Math.min(LABEL_CHARACTERS_MAX, Math.max(state.name.length, state.type.length));
  const width = Math.max(NODE_WIDTH_MIN, Math.ceil(characters * CHARACTER_WIDTH + LABEL_PADDING));
  if (state.machines.length === 0) return { ...base, width, height: NODE_HEIGHT, inner: undefined };
  const inner = beside(state.machines.map((part) => layoutPart(part, false)));
  return {
    ...base,
    width: Math.max(width, inner.width + 2 * PART_PADDING),
    height: inner.height + PART_HEADER + PART_PADDING,
    inner,
  };
}

/** Drawings next to each other. */
function beside(drawings: Drawing[]): Drawing {
  const all: Drawing = { width: 0, height: 0, boxes: [], edges: [] };
  for (const [index, drawing] of drawings.entries()) {
    const left = all.width + (index > 0 ? NODE_GAP : 0);
    append(all, drawing, left, 0);
    all.width = left + drawing.width;
    all.height = Math.max(all.height, drawing.height);
  }
  return all;
}

function append(target: Drawing, drawing: Drawing, dx: number, dy: number): void {
  target.boxes.push(...drawing.boxes.map((box) => ({ ...box, x: box.x + dx, y: box.y + dy })));
  target.edges.push(...drawing.edges.map((edge) => ({ ...edge, path: movePath(edge.path, dx, dy) })));
}

/** Moves a path that consists of absolute coordinate pairs only. */
function movePath(path: string, dx: number, dy: number): string {
  return path.replace(
    /(-?[\d.]+),(-?[\d.]+)/g,
    (_, x: string, y: string) => `${round(Number(x) + dx)},${round(Number(y) + dy)}`,
  );
}

/** The transitions to states that exist; several between the same two states become one line, the plainest. */
function linksOf(machine: Machine, nodes: Map<string, Node>): Link[] {
  const links = new Map<string, Link>();
  for (const state of machine.states) {
    for (const { to, kind } of state.transitions) {
      const key = JSON.stringify([state.name, to]);
      const known = links.get(key);
      if (nodes.has(to) && (!known || known.kind === "catch")) links.set(key, { from: state.name, to, kind });
    }
  }
  return [...links.values()];
}

function addTerminals(machine: Machine, nodes: Map<string, Node>, links: Link[]): void {
  for (const id of [START, END]) {
    const base = { id, width: TERMINAL_SIZE, height: TERMINAL_SIZE, layer: 0, x: 0 };
    nodes.set(id, { ...base, state: undefined, inner: undefined, isDummy: false });
  }
  if (nodes.has(machine.startAt)) links.push({ from: START, to: machine.startAt, kind: "next" });
  for (const state of machine.states) if (state.ends) links.push({ from: state.name, to: END, kind: "next" });
}

function byOrigin(links: readonly Link[]): Map<string, Link[]> {
  const outgoing = new Map<string, Link[]>();
  for (const link of links) outgoing.set(link.from, [...(outgoing.get(link.from) ?? []), link]);
  return outgoing;
}

/** Depth first from the roots: the links that close a cycle, and an order in which every other link points onwards. */
function cutCycles(
  roots: readonly string[],
  nodes: Map<string, Node>,
  links: readonly Link[],
): { sequence: string[]; back: Set<Link> } {
  const outgoing = byOrigin(links);
  const status = new Map<string, "open" | "done">();
  const finished: string[] = [];
  const back = new Set<Link>();
  for (const root of roots) {
    if (!nodes.has(root) || status.has(root)) continue;
    // A stack of our own: definitions may be longer than the call stack is deep.
    const stack: { id: string; next: number }[] = [{ id: root, next: 0 }];
    status.set(root, "open");
    while (stack.length > 0) {
      const top = stack[stack.length - 1] as { id: string; next: number };
      const link = outgoing.get(top.id)?.[top.next];
      top.next += 1;
      if (!link) {
        status.set(top.id, "done");
        finished.push(top.id);
        stack.pop();
      } else if (status.get(link.to) === "open") {
        back.add(link);
      } else if (!status.has(link.to)) {
        status.set(link.to, "open");
        stack.push({ id: link.to, next: 0 });
      }
    }
  }
  return { sequence: finished.reverse(), back };
}

/** Each node one layer below the lowest that leads to it. */
function rank(sequence: readonly string[], nodes: Map<string, Node>, forward: readonly Link[]): void {
  const outgoing = byOrigin(forward);
  for (const id of sequence) {
    const node = nodes.get(id) as Node;
    for (const link of outgoing.get(id) ?? []) {
      const target = nodes.get(link.to) as Node;
      target.layer = Math.max(target.layer, node.layer + 1);
    }
  }
}

interface Chain {
  link: Link;
  /** From the first to the last node, with the dummies between them. */
  nodes: Node[];
}

function routeLongLinks(
  sequence: readonly string[],
  nodes: Map<string, Node>,
  forward: readonly Link[],
): { layers: Node[][]; segments: [Node, Node][]; chains: Chain[] } {
  const layers: Node[][] = [];
  const put = (node: Node) => {
    (layers[node.layer] ??= []).push(node);
  };
  for (const id of sequence) put(nodes.get(id) as Node);
  const segments: [Node, Node][] = [];
  const chains: Chain[] = [];
  for (const link of forward) {
    const from = nodes.get(link.from) as Node;
    const to = nodes.get(link.to) as Node;
    const chain = [from];
    for (let layer = from.layer + 1; layer < to.layer; layer += 1) {
      const base = { id: "", width: DUMMY_WIDTH, height: 0, x: 0 };
      const dummy: Node = { ...base, layer, state: undefined, inner: undefined, isDummy: true };
      put(dummy);
      chain.push(dummy);
    }
    chain.push(to);
    for (let index = 1; index < chain.length; index += 1) {
      segments.push([chain[index - 1] as Node, chain[index] as Node]);
    }
    chains.push({ link, nodes: chain });
  }
  // A layer may be empty only if ranks were skipped, which longest paths do not do.
  return { layers: layers.filter(Boolean), segments, chains };
}

/** Sweeps down and up, and keeps the order with the fewest crossings that was seen. */
function orderLayers(layers: Node[][], segments: readonly [Node, Node][]): void {
  const above = neighbours(segments, 1);
  const below = neighbours(segments, 0);
  let best = layers.map((layer) => [...layer]);
  let fewest = crossings(layers, segments);
  for (let sweep = 0; sweep < ORDER_SWEEPS && fewest > 0; sweep += 1) {
    const down = sweep % 2 === 0;
    const order = down ? layers : [...layers].reverse();
    for (const layer of order) sortByBarycentre(layer, positions(layers), down ? above : below);
    const now = crossings(layers, segments);
    if (now < fewest) {
      fewest = now;
      best = layers.map((layer) => [...layer]);
    }
  }
  for (const [index, layer] of best.entries()) layers[index] = layer;
}

function neighbours(segments: readonly [Node, Node][], side: 0 | 1): Map<Node, Node[]> {
  const found = new Map<Node, Node[]>();
  for (const segment of segments) {
    const node = segment[side];
    const other = segment[1 - side] as Node;
    found.set(node, [...(found.get(node) ?? []), other]);
  }
  return found;
}

function positions(layers: readonly Node[][]): Map<Node, number> {
  return new Map(layers.flatMap((layer) => layer.map((node, index): [Node, number] => [node, index])));
}

function sortByBarycentre(layer: Node[], position: Map<Node, number>, adjacent: Map<Node, Node[]>): void {
  const weight = new Map(
    layer.map((node) => {
      const others = adjacent.get(node) ?? [];
      const own = position.get(node) ?? 0;
      return [node, others.length > 0 ? mean(others.map((other) => position.get(other) ?? 0)) : own];
    }),
  );
  layer.sort((a, b) => (weight.get(a) ?? 0) - (weight.get(b) ?? 0));
}

function crossings(layers: readonly Node[][], segments: readonly [Node, Node][]): number {
  const position = positions(layers);
  let count = 0;
  for (let a = 0; a < segments.length; a += 1) {
    const [fromA, toA] = segments[a] as [Node, Node];
    for (let b = a + 1; b < segments.length; b += 1) {
      const [fromB, toB] = segments[b] as [Node, Node];
      if (fromA.layer !== fromB.layer) continue;
      const top = (position.get(fromA) ?? 0) - (position.get(fromB) ?? 0);
      const bottom = (position.get(toA) ?? 0) - (position.get(toB) ?? 0);
      if (top * bottom < 0) count += 1;
    }
  }
  return count;
}

function place(layers: readonly Node[][], segments: readonly [Node, Node][]): void {
  for (const layer of layers)
    spread(
      layer,
      layer.map(() => 0),
    );
  const above = neighbours(segments, 1);
  const below = neighbours(segments, 0);
  for (let sweep = 0; sweep < PLACE_SWEEPS; sweep += 1) {
    const down = sweep % 2 === 0;
    const adjacent = down ? above : below;
    for (const layer of down ? layers : [...layers].reverse()) {
      const wishes = layer.map((node) => {
        const others = adjacent.get(node);
        return others ? mean(others.map((other) => other.x)) : node.x;
      });
      spread(layer, wishes);
    }
  }
}

/**
 * Puts each node of a layer as near to its wish as order and gaps allow: the least squares of the distances, found by pooling
 * neighbours whose wishes conflict ("pool adjacent violators").
 */
function spread(layer: readonly Node[], wishes: readonly number[]): void {
  const offsets: number[] = [];
  for (const [index, node] of layer.entries()) {
    const before = layer[index - 1];
    offsets.push(before ? (offsets[index - 1] ?? 0) + (before.width + node.width) / 2 + NODE_GAP : 0);
  }
  const pools: { sum: number; size: number }[] = [];
  for (const [index, wish] of wishes.entries()) {
    pools.push({ sum: wish - (offsets[index] ?? 0), size: 1 });
    for (;;) {
      const last = pools[pools.length - 1];
      const before = pools[pools.length - 2];
      if (!last || !before || before.sum / before.size <= last.sum / last.size) break;
      pools.splice(-2, 2, { sum: before.sum + last.sum, size: before.size + last.size });
    }
  }
  let index = 0;
  for (const pool of pools) {
    for (let member = 0; member < pool.size; member += 1, index += 1) {
      (layer[index] as Node).x = pool.sum / pool.size + (offsets[index] ?? 0);
    }
  }
}

function draw(
  nodes: Map<string, Node>,
  layers: readonly Node[][],
  chains: readonly Chain[],
  back: readonly Link[],
): Drawing {
  const all = layers.flat();
  const left = Math.min(...all.map((node) => node.x - node.width / 2));
  const right = Math.max(...all.map((node) => node.x + node.width / 2));
  for (const node of all) node.x -= left;

  const tops: number[] = [];
  const heights = layers.map((layer) => Math.max(0, ...layer.map((node) => node.height)));
  let y = 0;
  for (const height of heights) {
    tops.push(y);
    y += height + LAYER_GAP;
  }
  const top = (node: Node) => (tops[node.layer] ?? 0) + ((heights[node.layer] ?? 0) - node.height) / 2;

  const drawing: Drawing = {
    width: right - left + (back.length > 0 ? LANE_WIDTH * (back.length + 1) : 0),
    height: Math.max(0, y - LAYER_GAP),
    boxes: [],
    edges: [],
  };
  for (const node of nodes.values()) {
    const x = node.x - node.width / 2;
    const { id, width, height, state, inner } = node;
    drawing.boxes.push({ id, x, y: top(node), width, height, state, container: inner !== undefined });
    if (inner) append(drawing, inner, x + (width - inner.width) / 2, top(node) + PART_HEADER);
  }
  for (const { link, nodes: chain } of chains) {
    const points = chain.flatMap((node, index): [number, number][] => {
      // A dummy crosses its whole layer, so that the line keeps clear of taller neighbours.
      const first = tops[node.layer] ?? 0;
      if (node.isDummy)
        return [
          [node.x, first],
          [node.x, first + (heights[node.layer] ?? 0)],
        ];
      return [[node.x, index === 0 ? top(node) + node.height : top(node)]];
    });
    drawing.edges.push({ ...link, path: downwards(points) });
  }
  for (const [lane, link] of back.entries()) {
    const from = nodes.get(link.from) as Node;
    const to = nodes.get(link.to) as Node;
    const x = right - left + LANE_WIDTH * (lane + 1);
    const start: [number, number] = [from.x + from.width / 2, top(from) + from.height / 2];
    // A state that leads to itself leaves and enters at different heights.
    const end: [number, number] = [to.x + to.width / 2, top(to) + to.height / (from === to ? 5 : 2)];
    drawing.edges.push({ ...link, path: around(start, end, x) });
  }
  return drawing;
}

/** A line through the points, vertical at each of them. */
function downwards(points: readonly [number, number][]): string {
  const [first, ...rest] = points as [[number, number], ...[number, number][]];
  let path = `M${pair(first)}`;
  let [x, y] = first;
  for (const [nextX, nextY] of rest) {
    const middle = (y + nextY) / 2;
    path +=
      Math.abs(nextX - x) < 0.5
        ? `L${pair([nextX, nextY])}`
        : `C${pair([x, middle])} ${pair([nextX, middle])} ${pair([nextX, nextY])}`;
    [x, y] = [nextX, nextY];
  }
  return path;
}

/** A line that leaves to the right, goes up (or down) at `x`, and comes back from the right. */
function around(start: [number, number], end: [number, number], x: number): string {
  const bend = LANE_WIDTH / 2;
  const up = end[1] < start[1] ? -1 : 1;
  return [
    `M${pair(start)}`,
    `L${pair([x - bend, start[1]])}`,
    `Q${pair([x, start[1]])} ${pair([x, start[1] + up * bend])}`,
    `L${pair([x, end[1] - up * bend])}`,
    `Q${pair([x, end[1]])} ${pair([x - bend, end[1]])}`,
    `L${pair(end)}`,
  ].join("");
}

function pair([x, y]: [number, number]): string {
  return `${round(x)},${round(y)}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
