import { randomBytes } from "node:crypto";
import { expect, type Page } from "@playwright/test";
import { expectAccessible, shoot, watchForComplaints } from "./checks";
import { test } from "./fixtures";
import type { Site } from "./stub/site";
import { failedVideo, inState, processingVideo, readyVideo } from "./stub/videos";

/** Five parts of the stub's size, the last one smaller. */
const BYTES = randomBytes(1_200_000);
const LAST_MODIFIED = 1_700_000_000_000;

/** Drops a file onto the page; unlike a file chooser this fixes its date, by which a resumed upload knows it. */
async function drop(page: Page, name: string, bytes: Buffer, type = "video/mp4"): Promise<void> {
  const transfer = await page.evaluateHandle(
    ({ name, base64, type, lastModified }) => {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], name, { type, lastModified }));
      return transfer;
    },
    { name, base64: bytes.toString("base64"), type, lastModified: LAST_MODIFIED },
  );
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
}

async function open(page: Page, site: Site): Promise<void> {
  await page.goto(`${site.origin}/upload.html#key=${encodeURIComponent(site.uploadKey)}`);
  await expect(page.getByText("Drop videos here")).toBeVisible();
}

test("a file goes up in parts and is followed until it plays", async ({ page, site }) => {
  const making = processingVideo(1, 5, { title: "Harbour at dawn", createdAt: new Date().toISOString() });
  site.videos = [making];
  site.details.set(making.videoId, [
    inState(making, 0),
    inState({ ...making, progress: { phase: "TRANSCODING", percent: 61 } }, 2),
    { video: readyVideo(1) },
  ]);
  const expectNoComplaints = await watchForComplaints(page);
  await open(page, site);
  expect(page.url()).not.toContain("key");
  await drop(page, "harbour_at_dawn.mp4", BYTES);
  await expect(page.getByLabel("Title")).toHaveValue("harbour at dawn");
  await page.getByLabel("Title").fill("Harbour at dawn “☀”");
  await shoot(page, "upload-ready");
  await expectAccessible(page);
  await page
    .getByRole("button", { name: "Upload Harbour" })
    .or(page.getByRole("button", { name: "Upload harbour" }))
    .click();
  await expect(page.getByText("Start job")).toBeVisible();
  await shoot(page, "upload-publishing");
  await expectAccessible(page);
  await expect(page.getByRole("link", { name: "Watch Harbour at dawn" })).toBeVisible();
  await shoot(page, "upload-done");
  expect(site.finished).toHaveLength(1);
  expect(site.finished[0]?.title).toBe("Harbour at dawn “☀”");
  expect(site.finished[0]?.body.equals(BYTES)).toBe(true);
  expectNoComplaints();
});

test("parts that fail are sent again", async ({ page, site }) => {
  site.failParts = 3;
  await open(page, site);
  await drop(page, "clip.mp4", BYTES);
  await page.getByRole("button", { name: "Upload clip" }).click();
  await expect.poll(() => site.finished.length, { timeout: 20_000 }).toBe(1);
  expect(site.finished[0]?.body.equals(BYTES)).toBe(true);
});

test("pause, resume and cancel", async ({ page, site }) => {
  let release = () => {};
  site.hold = new Promise((resolve) => (release = resolve));
  await open(page, site);
  await drop(page, "clip.mp4", BYTES);
  await drop(page, "next.mp4", BYTES);
  await page.getByRole("button", { name: "Upload all 2" }).click();
  await expect(page.getByText("Waiting for its turn")).toBeVisible();
  await shoot(page, "upload-sending");
  await page.getByRole("button", { name: "Cancel next" }).click();
  await page.getByRole("button", { name: "Pause clip" }).click();
  await expect(page.getByText("Paused at")).toBeVisible();
  await shoot(page, "upload-paused");
  await expectAccessible(page);
  release();
  await page.getByRole("button", { name: "Resume clip" }).click();
  await expect.poll(() => site.finished.length).toBe(1);
  expect(site.finished[0]?.body.equals(BYTES)).toBe(true);
  expect(site.uploads.size).toBe(0);
});

test("an upload goes on after a reload", async ({ page, site }) => {
  site.hold = new Promise(() => {});
  await open(page, site);
  await drop(page, "clip.mp4", BYTES);
  await page.getByRole("button", { name: "Upload clip" }).click();
  await expect.poll(() => site.uploads.size).toBe(1);
  // The first parts have arrived, the page is left, and whoever leaves is warned.
  const [upload] = site.uploads.values();
  upload?.parts.set(1, BYTES.subarray(0, 256 * 1024)).set(2, BYTES.subarray(256 * 1024, 512 * 1024));
  const warned = page.waitForEvent("dialog").then((dialog) => dialog.accept());
  await Promise.all([warned, page.reload()]);

  await expect(page.getByRole("heading", { name: "Unfinished uploads" })).toBeVisible();
  await shoot(page, "upload-unfinished");
  await expectAccessible(page);
  site.hold = undefined;
  await drop(page, "clip.mp4", BYTES);
  await expect(page.getByRole("heading", { name: "Unfinished uploads" })).toHaveCount(0);
  await page.getByRole("button", { name: "Upload clip" }).click();
  await expect.poll(() => site.finished.length).toBe(1);
  expect(site.finished[0]?.body.equals(BYTES)).toBe(true);
});

test("the key is asked for, and a wrong one is asked for again", async ({ page, site }) => {
  await page.goto(`${site.origin}/upload.html`);
  await expect(page.getByLabel("Upload key")).toBeVisible();
  await shoot(page, "upload-key");
  await expectAccessible(page);
  await page.getByLabel("Upload key").fill("wrong");
  await page.keyboard.press("Enter");
  await drop(page, "clip.mp4", BYTES);
  await page.getByRole("button", { name: "Upload clip" }).click();
  await expect(page.getByText("The server refused the key")).toBeVisible();
  await page.getByLabel("Upload key").fill(site.uploadKey);
  await page.keyboard.press("Enter");
  await expect.poll(() => site.finished.length).toBe(1);
});

test("what is no video is refused before it is sent", async ({ page, site }) => {
  await open(page, site);
  await drop(page, "notes.txt", Buffer.from("hello"), "text/plain");
  await expect(page.getByRole("alert")).toContainText("notes.txt: This is not a video.");
  await drop(page, "empty.mp4", Buffer.alloc(0));
  await expect(page.getByRole("alert")).toContainText("empty.mp4: The file is empty.");
  await shoot(page, "upload-refused");
  await expectAccessible(page);
});

test("a video that fails says why", async ({ page, site }) => {
  const failed = failedVideo(1);
  site.videos = [failed];
  site.details.set(failed.videoId, [inState(failed, 1, true)]);
  await open(page, site);
  await drop(page, "radio.mp4", BYTES);
  await page.getByRole("button", { name: "Upload radio" }).click();
  await expect(page.getByRole("alert")).toContainText("the upload has no video track");
  await shoot(page, "upload-failed");
  await expectAccessible(page);
});
