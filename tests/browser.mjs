// Opens the site of a running home in Chromium, as a viewer, an uploader and an engineer on call would.
// Usage: node browser.mjs SITE VIDEO_ID UPLOAD_KEY CLIP CONSOLE EXECUTION_ARN SHOTS; exits non-zero at the first surprise.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';

const web = path.join(import.meta.dirname, '../frontend/web/package.json');
const { chromium, expect } = createRequire(web)('@playwright/test');
const [site, videoId, uploadKey, clip, consoleUrl, executionArn, shots] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
  ],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
const page = await context.newPage();
const refused = [];
page.on('console', (message) => {
  if (message.text().includes('Content Security Policy')) refused.push(message.text());
});

/** Waits until an expression of the video element gives what is wanted. */
const media = (read, what) => expect.poll(() => page.locator('video').evaluate(read), { message: what, timeout: 30_000 });

try {
  // The catalogue shows the video, with its length.
  await page.goto(`${site}/`);
  const card = page.locator(`a[href*="${videoId}"]`).first();
  await expect(card).toBeVisible({ timeout: 15_000 });
  const poster = page.locator(`img[src*="${videoId}"]`).first();
  await expect.poll(() => poster.evaluate((image) => image.complete && image.naturalWidth > 0)).toBe(true);
  await page.screenshot({ path: path.join(shots, 'catalogue.png') });

  // The watch page plays it: time advances, there is a picture, and another quality can be chosen.
  await card.click();
  await page.locator('.vjs-big-play-button').click();
  await media((video) => video.currentTime > 1, 'time advances').toBe(true);
  await media((video) => video.videoHeight > 0, 'a picture').toBe(true);
  await page.screenshot({ path: path.join(shots, 'watch.png') });
  const before = await page.locator('video').evaluate((video) => video.videoHeight);
  const height = before === 360 ? 720 : 360;
  await page.locator('.vjs-quality-menu-wrapper').hover();
  // Where the menu is drawn, once it is: a forced click would scroll the item under the page's header.
  const choice = page.locator('.vjs-quality-menu-wrapper .vjs-menu-item', { hasText: `${height}p` });
  await choice.click({ timeout: 10_000 });
  // What is buffered is played out first; a jump back to the start asks for the chosen quality at once.
  await page.locator('video').evaluate((video) => { video.currentTime = 0; return video.play(); });
  await media((video) => video.videoHeight, `the picture is ${height} lines high`).toBe(height);

  // Over the seek bar the storyboard shows the moment under the pointer.
  const bar = page.locator('.vjs-progress-holder');
  const preview = page.locator('canvas.vod-storyboard');
  await expect(async () => {
    // The first movement only brings the controls back; they fade in under the pointer.
    const box = await bar.boundingBox();
    await page.mouse.move(box.x + 5, box.y + box.height / 2);
    await page.mouse.move(box.x + box.width * 0.5, box.y + box.height / 2, { steps: 5 });
    await expect(preview).toBeVisible({ timeout: 2_000 });
  }).toPass({ timeout: 20_000 });
  const shown = () => preview.evaluate((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let bright = 0;
    for (let at = 0; at < data.length; at += 4) if (data[at] + data[at + 1] + data[at + 2] > 60) bright += 1;
    return { width: canvas.width, height: canvas.height, share: bright / (data.length / 4) };
  });
  const { width, height: tall, share } = await shown();
  assert.deepEqual([width, tall], [320, 180], 'a thumbnail of the ladder');
  assert.ok(share > 0.3, `the preview shows a picture, not a blank: ${share}`);
  await page.screenshot({ path: path.join(shots, 'storyboard.png') });
  await expect(page.getByRole('link', { name: /\.mpd$/ })).toHaveAttribute('href', /^\/v\//);

  // The upload page takes a file by the key in its address, and follows the states to the end.
  await page.goto(`${site}/upload.html#key=${uploadKey}`);
  await page.locator('input[type=file]').setInputFiles(clip);
  await page.getByRole('button', { name: /^Upload/ }).last().click();
  await expect(page.getByText(/ready to watch|READY|Watch/i).first()).toBeVisible({ timeout: 120_000 });
  assert.ok(!page.url().includes(uploadKey), 'the key leaves the address bar');
  await page.screenshot({ path: path.join(shots, 'upload.png') });

  // The console shows the failed run, its error first, and redrives it with one click.
  if (executionArn) {
    await page.goto(`${consoleUrl}execution.html?arn=${encodeURIComponent(executionArn)}`);
    await expect(page.getByText('Vod.TranscodeFailed').first()).toBeVisible({ timeout: 15_000 });
    await page.screenshot({ path: path.join(shots, 'console-failed.png') });
    page.on('dialog', (dialog) => dialog.accept());
    await page.getByRole('button', { name: /redrive/i }).first().click();
    const confirm = page.getByRole('dialog').getByRole('button', { name: /redrive/i });
    if (await confirm.isVisible().catch(() => false)) await confirm.click();
    await expect(page.locator('dt:text-is("Status") + dd').first()).toHaveText(/Succeeded/, { timeout: 120_000 });
    await page.screenshot({ path: path.join(shots, 'console-redriven.png') });
  }
  assert.deepEqual(refused, [], 'the pages keep to their content security policy');
} catch (error) {
  await page.screenshot({ path: path.join(shots, 'failed.png') });
  throw error;
} finally {
  await browser.close();
}
