import { expect, test } from "vitest";
import { begin, extend, type Order, refresh, update } from "../../src/paging/listing";
import { matchesWords } from "../../src/paging/words";

interface Row {
  id: string;
  at: number;
  note?: string;
}

const order: Order<Row> = {
  id: (row) => row.id,
  compare: (a, b) => b.at - a.at,
};

const row = (at: number, note?: string): Row => ({ id: `r${at}`, at, ...(note ? { note } : {}) });
const rows = (...times: number[]) => times.map((at) => row(at));
const times = (listing: { rows: readonly Row[] }) => listing.rows.map(({ at }) => at);

test("pages are put together in order, each row once", () => {
  const first = begin(order, { rows: rows(9, 8, 7), next: "a" });
  const second = extend(order, first, { rows: rows(7, 6, 5), next: null });
  expect(times(second)).toEqual([9, 8, 7, 6, 5]);
  expect(second.next).toBeUndefined();
});

test("a fresh first page brings new rows, changes and removals, and keeps what lies beyond", () => {
  const known = extend(order, begin(order, { rows: rows(9, 8, 7), next: "a" }), { rows: rows(6, 5), next: "b" });
  const fresh = refresh(order, known, { rows: [row(10), row(9, "changed"), row(7)], next: "c" });
  expect(times(fresh)).toEqual([10, 9, 7, 6, 5]);
  expect(fresh.rows[1]?.note).toBe("changed");
  expect(fresh.next).toBe("b");
});

test("all rows seen stays all rows seen", () => {
  const known = extend(order, begin(order, { rows: rows(9, 8), next: "a" }), { rows: rows(7) });
  expect(refresh(order, known, { rows: rows(9, 8), next: "a" }).next).toBeUndefined();
});

test("a first page that grew into a second one leads there", () => {
  const known = begin(order, { rows: rows(9, 8) });
  expect(refresh(order, known, { rows: rows(10, 9), next: "a" })).toEqual({
    rows: [...rows(10, 9), row(8)],
    next: undefined,
  });
  expect(refresh(order, begin(order, { rows: rows(9) }), { rows: rows(10, 9), next: "a" }).next).toBe("a");
});

test("a first page that is the only one is all there is", () => {
  const known = begin(order, { rows: rows(9, 8, 7), next: "a" });
  expect(times(refresh(order, known, { rows: rows(9) }))).toEqual([9]);
  expect(times(refresh(order, known, { rows: [] }))).toEqual([]);
});

test("where a gap may be, the listing begins anew", () => {
  const known = begin(order, { rows: rows(3, 2, 1), next: "a" });
  expect(refresh(order, known, { rows: rows(9, 8), next: "b" })).toEqual({ rows: rows(9, 8), next: "b" });
});

test("single rows are replaced in place", () => {
  const known = begin(order, { rows: rows(3, 2, 1), next: "a" });
  const fresh = update(order, known, [row(2, "changed")]);
  expect(fresh.rows[1]?.note).toBe("changed");
  expect(fresh.next).toBe("a");
});

test.each([
  ["Harbour at dawn", "", true],
  ["Harbour at dawn", "dawn harbour", true],
  ["Harbour at dawn", "dusk", false],
  ["Žluťoučký kůň", "zlutoucky KUN", true],
  ["Straße 5.mp4", "5.MP4", true],
])("%j against %j: %s", (text, query, expected) => expect(matchesWords(text, query)).toBe(expected));
