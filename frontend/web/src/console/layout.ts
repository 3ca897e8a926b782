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
/** Lines that lead back up leave and enter beside the others. */
const BACK_OFFSET = 22;
const CORNER_RADIUS = 9;
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

/** A piece of a line, from one layer to the next. */
type Segment = [from: Node, to: Node, kind: Transition["kind"]];

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
  // States of one width stand straight below each other.
  const plain = [...nodes.values()].filter((node) => !node.inner);
  const width = Math.max(...plain.map((node) => node.width));
  for (const node of plain) node.width = width;
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
): { layers: Node[][]; segments: Segment[]; chains: Chain[] } {
  const layers: Node[][] = [];
  const put = (node: Node) => {
    (layers[node.layer] ??= []).push(node);
  };
  for (const id of sequence) put(nodes.get(id) as Node);
  const segments: Segment[] = [];
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
      segments.push([chain[index - 1] as Node, chain[index] as Node, link.kind]);
    }
    chains.push({ link, nodes: chain });
  }
  // A layer may be empty only if ranks were skipped, which longest paths do not do.
  return { layers: layers.filter(Boolean), segments, chains };
}

/** Sweeps down and up, and keeps the order with the fewest crossings that was seen. */
function orderLayers(layers: Node[][], segments: readonly Segment[]): void {
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

function neighbours(segments: readonly Segment[], side: 0 | 1): Map<Node, Node[]> {
  const found = new Map<Node, Node[]>();
  for (const segment of segments) {
    const node = segment[side];
    const other = segment[side === 0 ? 1 : 0];
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

function crossings(layers: readonly Node[][], segments: readonly Segment[]): number {
  const position = positions(layers);
  let count = 0;
  for (let a = 0; a < segments.length; a += 1) {
    const [fromA, toA] = segments[a] as Segment;
    for (let b = a + 1; b < segments.length; b += 1) {
      const [fromB, toB] = segments[b] as Segment;
      if (fromA.layer !== fromB.layer) continue;
      const top = (position.get(fromA) ?? 0) - (position.get(fromB) ?? 0);
      const bottom = (position.get(toA) ?? 0) - (position.get(toB) ?? 0);
      if (top * bottom < 0) count += 1;
    }
  }
  return count;
}

/** How strongly a line wants to be straight: long ones most, then the plain way on. */
function stiffness(segment: Segment): number {
  if (segment[0].isDummy && segment[1].isDummy) return 8;
  return segment[2] === "next" ? 4 : 1;
}

function weighted(segments: readonly Segment[], side: 0 | 1): Map<Node, { node: Node; weight: number }[]> {
  const found = new Map<Node, { node: Node; weight: number }[]>();
  for (const segment of segments) {
    const known = found.get(segment[side]) ?? [];
    found.set(segment[side], [...known, { node: segment[side === 0 ? 1 : 0], weight: stiffness(segment) }]);
  }
  return found;
}

function place(layers: readonly Node[][], segments: readonly Segment[]): void {
  for (const layer of layers)
    spread(
      layer,
      layer.map(() => 0),
    );
  const above = weighted(segments, 1);
  const below = weighted(segments, 0);
  for (let sweep = 0; sweep < PLACE_SWEEPS; sweep += 1) {
    const down = sweep % 2 === 0;
    const adjacent = down ? above : below;
    for (const layer of down ? layers : [...layers].reverse()) {
      const wishes = layer.map((node) => {
        const others = adjacent.get(node);
        if (!others) return node.x;
        const total = others.reduce((sum, { weight }) => sum + weight, 0);
        return others.reduce((sum, { node: other, weight }) => sum + other.x * weight, 0) / total;
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

  // Lines that lead back up run between the layers, also below the last and above the first.
  const margin = back.length > 0 ? LAYER_GAP / 2 : 0;
  const tops: number[] = [];
  const bottoms: number[] = [];
  let y = margin;
  for (const layer of layers) {
    tops.push(y);
    bottoms.push(y + Math.max(0, ...layer.map((node) => node.height)));
    y = (bottoms.at(-1) ?? y) + LAYER_GAP;
  }
  const topOf = (node: Node) => tops[node.layer] ?? 0;
  const bottomOf = (node: Node) => bottoms[node.layer] ?? 0;

  const drawing: Drawing = {
    width: right - left + (back.length > 0 ? LANE_WIDTH * (back.length + 1) : 0),
    height: (bottoms.at(-1) ?? 0) + margin,
    boxes: [],
    edges: [],
  };
  for (const node of nodes.values()) {
    const x = node.x - node.width / 2;
    const { id, width, height, state, inner } = node;
    drawing.boxes.push({ id, x, y: topOf(node), width, height, state, container: inner !== undefined });
    if (inner) append(drawing, inner, x + (width - inner.width) / 2, topOf(node) + PART_HEADER);
  }
  for (const { link, nodes: chain } of chains) {
    const points = chain.flatMap((node, index): [number, number][] => {
      const enters: [number, number] = [node.x, topOf(node)];
      if (index === chain.length - 1) return [enters];
      // Straight down to the end of the layer first, to keep clear of taller neighbours.
      const leaves: [number, number] = [node.x, bottomOf(node)];
      return index === 0 ? [[node.x, topOf(node) + node.height], leaves] : [enters, leaves];
    });
    drawing.edges.push({ ...link, path: downwards(points) });
  }
  for (const [lane, link] of back.entries()) {
    const from = nodes.get(link.from) as Node;
    const to = nodes.get(link.to) as Node;
    const laneX = right - left + LANE_WIDTH * (lane + 1);
    const under = bottomOf(from) + LAYER_GAP / 2;
    const over = topOf(to) - LAYER_GAP / 2;
    const path = angular([
      [from.x + BACK_OFFSET, topOf(from) + from.height],
      [from.x + BACK_OFFSET, under],
      [laneX, under],
      [laneX, over],
      [to.x + BACK_OFFSET, over],
      [to.x + BACK_OFFSET, topOf(to)],
    ]);
    drawing.edges.push({ ...link, path });
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

/** A line of horizontal and vertical pieces, with round corners. */
function angular(points: readonly [number, number][]): string {
  let path = "";
  for (const [index, point] of points.entries()) {
    const before = points[index - 1];
    const after = points[index + 1];
    if (!before) path += `M${pair(point)}`;
    else if (!after) path += `L${pair(point)}`;
    else path += `L${pair(towards(point, before))}Q${pair(point)} ${pair(towards(point, after))}`;
  }
  return path;
}

/** The point a corner's radius away, or half way if it is nearer. */
function towards([x, y]: [number, number], [toX, toY]: [number, number]): [number, number] {
  const step = (from: number, to: number) => Math.sign(to - from) * Math.min(CORNER_RADIUS, Math.abs(to - from) / 2);
  return [x + step(x, toX), y + step(y, toY)];
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
