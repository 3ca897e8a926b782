/** Rows of a paged list in memory: pages put together and kept fresh. Pure. */

/** What tells rows apart and in which order the service lists them. */
export interface Order<T> {
  id(row: T): string;
  /** Negative if `a` comes before `b`. */
  compare(a: T, b: T): number;
}

/** One page as a service answers it. */
export interface Page<T> {
  rows: readonly T[];
  /** Asks for the next page; missing on the last one. */
  next?: string | null | undefined;
}

/** The rows seen so far, in order, and where the next page begins. */
export interface Listing<T> {
  rows: readonly T[];
  /** Missing when all rows have been seen. */
  next: string | undefined;
}

function together<T>(order: Order<T>, older: readonly T[], newer: readonly T[]): T[] {
  const byId = new Map([...older, ...newer].map((row) => [order.id(row), row]));
  return [...byId.values()].sort((a, b) => order.compare(a, b));
}

/** What the first page says. */
export function begin<T>(order: Order<T>, page: Page<T>): Listing<T> {
  return { rows: together(order, [], page.rows), next: page.next ?? undefined };
}

/** The listing with a further page. A row that moved between pages meanwhile is there once. */
export function extend<T>(order: Order<T>, listing: Listing<T>, page: Page<T>): Listing<T> {
  return { rows: together(order, listing.rows, page.rows), next: page.next ?? undefined };
}

/**
 * The listing with the first page asked again: new rows appear, changed rows change, and rows that the page ought to hold but
 * does not are gone. Rows beyond that page, and the way to the next one, stay. When the page has no row in common with what
 * is known, there may be a gap between the two: the listing begins anew.
 */
export function refresh<T>(order: Order<T>, listing: Listing<T>, firstPage: Page<T>): Listing<T> {
  const last = firstPage.rows.at(-1);
  const ids = new Set(firstPage.rows.map((row) => order.id(row)));
  if (!firstPage.next || !last || !listing.rows.some((row) => ids.has(order.id(row)))) return begin(order, firstPage);
  const beyond = listing.rows.filter((row) => order.compare(row, last) > 0);
  if (beyond.length === 0) return begin(order, firstPage);
  return { rows: together(order, beyond, firstPage.rows), next: listing.next };
}

/** The listing with single rows asked again. */
export function update<T>(order: Order<T>, listing: Listing<T>, rows: readonly T[]): Listing<T> {
  return { ...listing, rows: together(order, listing.rows, rows) };
}
