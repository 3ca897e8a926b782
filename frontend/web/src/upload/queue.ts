/** The files of this page: one is sent at a time, in the order they were started. */

import { uploadApi } from "../api/client";
import { browserPorts } from "../net/retry";
import { uploadKey } from "./key";
import { putPart } from "./put";
import { Transfer, type TransferFile, type TransferPorts } from "./transfer";
import { forgetUnfinished, rememberUnfinished, unfinishedOf } from "./unfinished";

/** A file on the page. */
export interface Item {
  id: number;
  transfer: Transfer;
  /** Whether someone pressed start; a file that waits for its title is not sent. */
  started: boolean;
}

/** The transfer's needs, from the browser. */
export function realPorts(): TransferPorts {
  return {
    ...browserPorts,
    api: uploadApi(uploadKey),
    put: putPart,
    now: () => performance.timeOrigin + performance.now(),
    remember: rememberUnfinished,
    forget: forgetUnfinished,
    recall: unfinishedOf,
  };
}

/** The queue; `changed` is called after every change. */
export class Queue {
  items: readonly Item[] = [];
  #nextId = 1;

  constructor(
    private readonly ports: TransferPorts,
    private readonly changed: () => void,
  ) {}

  /** Adds a file, not yet started. */
  add(file: TransferFile, title: string): void {
    const transfer = new Transfer(file, title, this.ports, () => {
      this.changed();
      this.#next();
    });
    this.items = [...this.items, { id: this.#nextId++, transfer, started: false }];
    this.changed();
  }

  /** Starts an item, or lets it go on: now, or when those before it are through. */
  start(id: number): void {
    const item = this.items.find((candidate) => candidate.id === id);
    if (!item) return;
    if (item.started) {
      void item.transfer.run();
      return;
    }
    this.items = this.items.map((other) => (other === item ? { ...item, started: true } : other));
    this.changed();
    this.#next();
  }

  /** Takes an item off the page; what is under way is cancelled. */
  remove(id: number): void {
    const item = this.items.find((candidate) => candidate.id === id);
    this.items = this.items.filter((other) => other !== item);
    item?.transfer.cancel();
    this.changed();
    this.#next();
  }

  /** Whether leaving the page would interrupt something. */
  get busy(): boolean {
    return this.items.some(({ started, transfer }) => {
      const { status } = transfer.state;
      return status === "sending" || status === "finishing" || (started && status === "waiting");
    });
  }

  #next(): void {
    const sending = this.items.some(({ transfer }) => ["sending", "finishing"].includes(transfer.state.status));
    if (sending) return;
    const next = this.items.find(({ started, transfer }) => started && transfer.state.status === "waiting");
    void next?.transfer.run();
  }
}
