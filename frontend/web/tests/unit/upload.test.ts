import { describe, expect, test } from "vitest";
import { RequestError } from "../../src/api/client";
import type { UploadedPart } from "../../src/contracts/api";
import { keyOfFragment } from "../../src/upload/key";
import { refusal, titleOf } from "../../src/upload/file-check";
import { missingParts, PARTS_MAX, planParts, uploadedBytes } from "../../src/upload/plan";
import { PutError } from "../../src/upload/put";
import { SpeedMeter } from "../../src/upload/speed";
import { Transfer, type TransferFile, type TransferPorts } from "../../src/upload/transfer";
import { parseUnfinished, type Unfinished } from "../../src/upload/unfinished";

describe("plan", () => {
  test.each([
    [0, 10, [[0, 0]]],
    [1, 10, [[0, 1]]],
    [10, 10, [[0, 10]]],
    [
      11,
      10,
      [
        [0, 10],
        [10, 11],
      ],
    ],
    [
      25,
      10,
      [
        [0, 10],
        [10, 20],
        [20, 25],
      ],
    ],
  ])("%d bytes in parts of %d", (size, partSize, expected) => {
    const plan = planParts(size, partSize);
    expect(plan.map(({ start, end }) => [start, end])).toEqual(expected);
    expect(plan.map(({ number }) => number)).toEqual(expected.map((_, index) => index + 1));
  });

  test("more parts than S3 takes are refused", () => {
    expect(planParts(PARTS_MAX, 1)).toHaveLength(PARTS_MAX);
    expect(() => planParts(PARTS_MAX + 1, 1)).toThrow(RangeError);
    expect(() => planParts(1, 0)).toThrow(RangeError);
    expect(() => planParts(1, Number.NaN)).toThrow(RangeError);
  });

  test("what is there is not sent again", () => {
    const plan = planParts(25, 10);
    const uploaded = [3, 1].map((partNumber) => ({ partNumber, etag: "e" }));
    expect(missingParts(plan, uploaded).map(({ number }) => number)).toEqual([2]);
    expect(uploadedBytes(plan, uploaded)).toBe(15);
  });
});

describe("speed", () => {
  test("is told once it has settled, over the last seconds only", () => {
    const meter = new SpeedMeter();
    meter.record(0, 0);
    meter.record(1_000, 500);
    expect(meter.bytesPerSecond()).toBeUndefined();
    meter.record(4_000, 2_000);
    expect(meter.bytesPerSecond()).toBe(2_000);
    expect(meter.remainingMs(10_000)).toBe(5_000);
    for (let second = 3; second <= 30; second += 1) meter.record(4_000 + (second - 2) * 100, second * 1_000);
    expect(meter.bytesPerSecond()).toBeCloseTo(100);
    meter.reset();
    expect(meter.bytesPerSecond()).toBeUndefined();
  });

  test("a standstill has no end in sight", () => {
    const meter = new SpeedMeter();
    meter.record(5, 0);
    meter.record(5, 5_000);
    expect(meter.remainingMs(10)).toBeUndefined();
  });
});

describe("before sending", () => {
  test.each([
    [{ name: "a.mp4", size: 1, type: "video/mp4" }, undefined],
    [{ name: "a.mkv", size: 1, type: "" }, undefined],
    [{ name: "a.MTS", size: 1, type: "text/vnd.trolltech.linguist" }, undefined],
    [{ name: "a", size: 1, type: "application/octet-stream" }, undefined],
    [{ name: "a.mp4", size: 0, type: "video/mp4" }, "The file is empty."],
    [{ name: "a.txt", size: 1, type: "text/plain" }, "This is not a video."],
    [{ name: "a.jpg", size: 1, type: "image/jpeg" }, "This is not a video."],
  ])("%o: %s", (file, expected) => expect(refusal(file)).toBe(expected));

  test.each([
    ["harbour_at_dawn.mp4", "harbour at dawn"],
    ["v1.2 final.mov", "v1.2 final"],
    [".mp4", ".mp4"],
    ["noext", "noext"],
  ])("%s is called %s", (filename, expected) => expect(titleOf(filename)).toBe(expected));

  test.each([
    ["#key=a%20b", "a b"],
    ["#other=1", undefined],
    ["#key=", undefined],
    ["", undefined],
  ])("the key in %j is %s", (fragment, expected) => expect(keyOfFragment(fragment)).toBe(expected));
});

describe("unfinished uploads", () => {
  const good: Unfinished = {
    file: { name: "a.mp4", size: 5, lastModified: 1 },
    title: "A",
    uploadId: "u",
    key: "k",
    partSizeBytes: 5,
    begunAt: 1_000,
  };
  test.each([
    [undefined, 0],
    ["", 0],
    ["{}", 0],
    ["[null, 1, {}]", 0],
    [JSON.stringify([good, { ...good, uploadId: 7 }]), 1],
  ])("%s holds %d", (text, expected) => expect(parseUnfinished(text, 2_000)).toHaveLength(expected));

  test("they expire with the bucket's lifecycle rule", () => {
    expect(parseUnfinished(JSON.stringify([good]), 1_000 + 8 * 24 * 3_600_000)).toEqual([]);
  });
});

/** S3 and the API in memory; `failures` are thrown by the next PUTs. */
class Storage {
  parts = new Map<number, string>();
  failures: Error[] = [];
  known: Unfinished | undefined;
  begun = 0;
  signed: number[] = [];
  finished: UploadedPart[] | undefined;
  underWay = 0;
  mostUnderWay = 0;
  beforePut: () => Promise<void> = async () => {};

  ports(): TransferPorts {
    return {
      sleep: async (_, signal) => signal?.throwIfAborted(),
      random: () => 0,
      now: () => 0,
      remember: (upload) => (this.known = upload),
      forget: () => (this.known = undefined),
      recall: () => this.known,
      api: {
        begin: async () => {
          this.begun += 1;
          return { uploadId: `u${this.begun}`, key: "k", partSizeBytes: 4 };
        },
        signParts: async ({ uploadId, partNumbers }) => {
          if (uploadId === "gone") throw new RequestError(404, "NotFound", "gone");
          this.signed.push(...partNumbers);
          return {
            parts: partNumbers.map((partNumber) => ({ partNumber, url: String(partNumber) })),
            uploaded: [...this.parts.keys()].map((partNumber) => ({ partNumber, etag: `e${partNumber}` })),
          };
        },
        finish: async ({ parts }) => {
          this.finished = parts;
          return { videoId: "v1" };
        },
      },
      put: async (url, body, onProgress, signal) => {
        this.underWay += 1;
        this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
        try {
          await this.beforePut();
          signal.throwIfAborted();
          const failure = this.failures.shift();
          if (failure) throw failure;
          this.parts.set(Number(url), await body.text());
          onProgress(body.size);
        } finally {
          this.underWay -= 1;
        }
      },
    };
  }

  text(): string {
    return [...this.parts]
      .sort(([a], [b]) => a - b)
      .map(([, text]) => text)
      .join("");
  }
}

describe("transfer", () => {
  const TEXT = "the quick brown fox jumps over";
  const file = Object.assign(new Blob([TEXT]), { name: "fox.mp4", lastModified: 1 }) as TransferFile;

  function transferOf(storage: Storage): Transfer {
    return new Transfer(file, "Fox", storage.ports(), () => {});
  }

  test("sends all parts, three at a time, and finishes in order", async () => {
    const storage = new Storage();
    const transfer = transferOf(storage);
    await transfer.run();
    expect(transfer.state).toMatchObject({ status: "done", videoId: "v1", sentBytes: TEXT.length });
    expect(storage.text()).toBe(TEXT);
    expect(storage.mostUnderWay).toBe(3);
    expect(storage.finished?.map(({ partNumber }) => partNumber)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(storage.known).toBeUndefined();
  });

  test("signs a failed part anew", async () => {
    const storage = new Storage();
    storage.failures = [new PutError(403, "expired"), new PutError(0, "broke off"), new PutError(503, "slow down")];
    const transfer = transferOf(storage);
    await transfer.run();
    expect(transfer.state.status).toBe("done");
    expect(storage.text()).toBe(TEXT);
    expect(storage.signed).toHaveLength(8 + 3);
  });

  test("an interruption keeps what has arrived", async () => {
    const storage = new Storage();
    storage.parts.set(1, "the ");
    storage.failures = Array.from({ length: 40 }, () => new PutError(0, "broke off"));
    const transfer = transferOf(storage);
    await transfer.run();
    expect(transfer.state).toMatchObject({ status: "interrupted", error: { message: "broke off" } });
    expect(storage.known?.uploadId).toBe("u1");
    storage.failures = [];
    storage.signed = [];
    await transfer.run();
    expect(transfer.state.status).toBe("done");
    expect(storage.begun).toBe(1);
    expect(storage.signed).not.toContain(1);
    expect(storage.text()).toBe(TEXT);
  });

  test("an upload that is gone begins anew", async () => {
    const storage = new Storage();
    storage.known = {
      file: { name: "fox.mp4", size: file.size, lastModified: 1 },
      title: "Fox",
      uploadId: "gone",
      key: "k",
      partSizeBytes: 4,
      begunAt: 0,
    };
    const transfer = transferOf(storage);
    await transfer.run();
    expect(transfer.state.status).toBe("done");
    expect(storage.begun).toBe(1);
  });

  test("pause stops, run goes on", async () => {
    const storage = new Storage();
    const transfer = transferOf(storage);
    let puts = 0;
    storage.beforePut = async () => {
      puts += 1;
      if (puts === 4) transfer.pause();
    };
    await transfer.run();
    expect(transfer.state.status).toBe("paused");
    expect(storage.parts.size).toBe(3);
    await transfer.run();
    expect(transfer.state.status).toBe("done");
    expect(storage.text()).toBe(TEXT);
    expect(storage.begun).toBe(1);
  });

  test("cancel forgets", async () => {
    const storage = new Storage();
    const transfer = transferOf(storage);
    storage.beforePut = async () => transfer.cancel();
    await transfer.run();
    expect(transfer.state.status).toBe("cancelled");
    expect(storage.known).toBeUndefined();
    await transfer.run();
    expect(transfer.state.status).toBe("cancelled");
  });

  test("parts that the storage lost are not papered over", async () => {
    const storage = new Storage();
    const ports = storage.ports();
    const { signParts } = ports.api;
    ports.api.signParts = async (request, signal) => {
      const answer = await signParts(request, signal);
      return { ...answer, uploaded: answer.uploaded.filter(({ partNumber }) => partNumber !== 2) };
    };
    const transfer = new Transfer(file, "Fox", ports, () => {});
    await transfer.run();
    expect(transfer.state.status).toBe("interrupted");
    expect(storage.finished).toBeUndefined();
  });
});
