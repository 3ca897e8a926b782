// Reads everything below a CMAF playlist with GPAC's own parser, and holds the renditions against each other.
// Usage: node parse.mjs PLAYLIST_URL; prints what it found as JSON, and exits non-zero at the first surprise.

import assert from 'node:assert/strict';
import { createFile } from 'mp4box';

const text = async (url) => (await fetch(url)).text();
const bytes = async (url) => {
  const answer = await fetch(url);
  assert.equal(answer.status, 200, url);
  return answer.arrayBuffer();
};

/** The samples of a file that consists of these parts, of its one track. */
function samples(parts, name) {
  const file = createFile();
  let problem = null;
  file.onError = (module, message) => { problem = `${module}: ${message}`; };
  let offset = 0;
  for (const part of parts) {
    const copy = part.slice(0);
    copy.fileStart = offset;
    offset += copy.byteLength;
    file.appendBuffer(copy);
  }
  file.flush();
  assert.equal(problem, null, name);
  const info = file.getInfo();
  assert.equal(info.tracks.length, 1, name);
  const [track] = info.tracks;
  return { track, samples: file.getTrackSamplesInfo(track.id) };
}

/** One stream by its playlist: its codec, and of each segment when it begins and ends, and its frames. */
async function stream(url) {
  const lines = (await text(url)).split('\n');
  const init = await bytes(new URL(/URI="([^"]+)"/.exec(lines.find((line) => line.startsWith('#EXT-X-MAP')))[1], url));
  const names = lines.filter((line) => line && !line.startsWith('#'));
  const declared = lines.filter((line) => line.startsWith('#EXTINF:')).map((line) => Number.parseFloat(line.slice(8)));
  const segments = [];
  let expected = null;
  let found = null;
  for (const [index, name] of names.entries()) {
    const where = new URL(name, url);
    found = samples([init, await bytes(where)], where.pathname);
    const { timescale } = found.samples[0];
    const first = found.samples[0];
    assert.ok(first.is_sync, `${name} begins with a frame that decoding can begin at`);
    // Frames follow each other in decoding without a gap, over boundaries too.
    for (const sample of found.samples) {
      if (expected !== null) assert.ok(Math.abs(sample.dts - expected) <= 1, `${name}: ${sample.dts} follows ${expected}`);
      assert.ok(sample.cts >= sample.dts, `${name}: a frame is shown before it is decoded`);
      expected = sample.dts + sample.duration;
    }
    const start = Math.min(...found.samples.map((sample) => sample.cts)) / timescale;
    const end = Math.max(...found.samples.map((sample) => sample.cts + sample.duration)) / timescale;
    assert.ok(Math.abs(end - start - declared[index]) < 0.05, `${name} lasts ${end - start}, declared ${declared[index]}`);
    segments.push({ start, end, frames: found.samples.length });
  }
  return { codec: found.track.codec, segments };
}

const parent = process.argv[2];
const lines = (await text(parent)).split('\n');
const variants = lines.filter((line) => line && !line.startsWith('#'));
const sounds = lines.filter((line) => line.includes('TYPE=AUDIO')).map((line) => /URI="([^"]+)"/.exec(line)[1]);
const pictures = [];
for (const name of variants) pictures.push(await stream(new URL(name, parent)));
const [sound] = await Promise.all(sounds.map((name) => stream(new URL(name, parent))));

// The segments of all renditions line up to the frame.
for (const picture of pictures) {
  assert.match(picture.codec, /^avc1\./);
  assert.deepEqual(picture.segments, pictures[0].segments);
}
// Picture and sound stay together, from the first frame to the last.
assert.match(sound.codec, /^mp4a\.40\./);
const ends = [pictures[0], sound].map(({ segments }) => ({ start: segments[0].start, end: segments.at(-1).end }));
const apart = { start: Math.abs(ends[0].start - ends[1].start), end: Math.abs(ends[0].end - ends[1].end) };
assert.ok(apart.start < 0.04 && apart.end < 0.04, `picture and sound are apart: ${JSON.stringify(ends)}`);
console.log(JSON.stringify({ renditions: pictures.length, segments: pictures[0].segments.length, apart }));
