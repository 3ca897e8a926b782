// Plays manifests through the edge of a home in Chromium, with players that know nothing of Vodline.
// Usage: node players.mjs hls=URL cmaf=URL dash=URL; exits non-zero at the first surprise.

import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';

const web = path.join(import.meta.dirname, '../../frontend/web/package.json');
const { chromium, expect } = createRequire(web)('@playwright/test');
const urls = Object.fromEntries(process.argv.slice(2).map((argument) => argument.split(/=(.*)/s)));

const HLS = 'application/vnd.apple.mpegurl';
const CASES = [
  ['hls.js', 'hls', HLS],
  ['hls.js', 'cmaf', HLS],
  ['video.js', 'hls', HLS],
  ['video.js', 'cmaf', HLS],
  ['video.js', 'dash', 'application/dash+xml'],
  ['shaka', 'dash', 'application/dash+xml'],
  ['shaka', 'cmaf', HLS],
];
const PATIENCE = { timeout: 30_000 };
const DEADLINE_MS = 300_000;
setTimeout(() => { console.error(`the players took longer than ${DEADLINE_MS} ms`); process.exit(1); }, DEADLINE_MS).unref();

// What play() promises is not waited for: where playback stands still that is for ever, and it is the next question that finds out.
const start = (element) => { element.play().catch(() => undefined); };

// The pages come from another origin than the media, so that the edge has to allow it.
const pages = createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://pages');
  const file = path.join(import.meta.dirname, path.normalize(pathname));
  const types = { '.html': 'text/html', '.js': 'text/javascript' };
  response.setHeader('content-type', types[path.extname(file)] ?? 'application/octet-stream');
  createReadStream(file).on('error', () => response.writeHead(404).end()).pipe(response);
});
await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${pages.address().port}`;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
  ],
});

async function play(player, format, type) {
  const page = await browser.newPage();
  const failed = [];
  page.on('response', (response) => {
    if (response.status() >= 400 && !response.url().endsWith('favicon.ico')) failed.push(`${response.status()} ${response.url()}`);
  });
  const query = new URLSearchParams({ player, source: urls[format], type });
  await page.goto(`${origin}/player.html?${query}`);
  const video = page.locator('video');
  const read = (expression) => video.evaluate(expression);
  const until = (what, expression) => expect.poll(() => read(expression), { message: `${player} ${format}: ${what}`, ...PATIENCE });
  try {
    // It plays: picture and sound are decoded, and the time moves.
    await until('has data', (element) => element.readyState >= 2).toBe(true);
    await read(start);
    await until('time moves', (element) => element.currentTime > 0.7).toBe(true);
    await until('decodes', (element) => element.getVideoPlaybackQuality().totalVideoFrames > 10 && element.webkitAudioDecodedByteCount > 0).toBe(true);

    // It switches to the smallest rendition, and then to the largest.
    const heights = await page.evaluate(() => window.heights());
    assert.ok(heights.length > 1, `${player} ${format}: renditions ${heights}`);
    for (const height of [Math.min(...heights), Math.max(...heights)]) {
      await page.evaluate((height) => window.choose(height), height);
      await read(start);
      await until(`shows ${height} lines`, (element) => element.videoHeight).toBe(height);
    }
    const switched = await page.evaluate(() => window.seen.events.filter(({ name }) => name === 'switched').length);
    assert.ok(switched > 0, `${player} ${format}: tells of a switch`);

    // It seeks, and plays to the end.
    const duration = await read((element) => element.duration);
    await read((element) => { element.currentTime = element.duration - 1.5; });
    await read(start);
    await until('plays after the seek', (element) => element.currentTime > element.duration - 1.2 || element.ended).toBe(true);
    await until('ends', (element) => element.ended).toBe(true);
    const { corruptedVideoFrames } = await read((element) => ({ corruptedVideoFrames: element.getVideoPlaybackQuality().corruptedVideoFrames }));
    assert.equal(corruptedVideoFrames ?? 0, 0, `${player} ${format}: corrupted frames`);

    const errors = await page.evaluate(() => window.seen.errors);
    assert.deepEqual(errors, [], `${player} ${format}: errors`);
    assert.deepEqual(failed, [], `${player} ${format}: refused requests`);
    console.log(`${player} plays ${format}: ${duration.toFixed(3)} s, renditions ${heights.join(', ')}`);
  } catch (error) {
    const state = await page.evaluate(() => ({ ...window.seen, time: video.currentTime, height: video.videoHeight, error: video.error?.message }));
    console.error(`${player} ${format}`, JSON.stringify(state), failed);
    throw error;
  } finally {
    await page.close();
  }
}

try {
  for (const [player, format, type] of CASES) await play(player, format, type);
} finally {
  await browser.close();
  pages.close();
}
