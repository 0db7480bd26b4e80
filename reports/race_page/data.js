// Decodes the recordings and computes the standings at any time. Times are in frames and may be fractions.

const DATA = JSON.parse(document.getElementById("data").textContent);
const CHANNELS = ["x", "y", "angle", "tiles", "front", "speed", "steering", "pedal"];
const SIGNED = ["x", "y", "angle", "steering", "pedal"];
const COUNTS_IN = { x: 1 / 32, y: 1 / 32, angle: 1 / 256, tiles: 1, front: 1, speed: 0.5, steering: 0.25, pedal: 1 / 127 };

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function decodeRoad(text) {
  const raw = new DataView(bytes(text).buffer);
  return Array.from({ length: raw.byteLength / 4 }, (_, i) =>
    [raw.getInt16(4 * i, true) / 32, raw.getInt16(4 * i + 2, true) / 32]);
}

function decodeDrive(drive, driver, tiles) {
  const raw = bytes(drive.samples), length = raw.length / CHANNELS.length;
  const found = { ...driver, episode: drive.episode, frames: length - 1, roadTiles: tiles };
  CHANNELS.forEach((name, channel) => {
    const part = raw.subarray(channel * length, (channel + 1) * length);
    const counts = SIGNED.includes(name) ? new Int8Array(part) : part;
    const values = new Float32Array(length);
    let at = channel < drive.start.length ? drive.start[channel] : 0;
    for (let i = 0; i < length; i++) {
      at = channel < drive.start.length ? at + counts[i] : counts[i];
      values[i] = at * COUNTS_IN[name];
    }
    found[name] = values;
  });
  found.lap = drive.episode.laps > 0;
  found.knots = knots(found);
  return found;
}

// Points of progress over time: [frame, tiles] at every frame with new progress, to be interpolated linearly.
function knots(drive) {
  const found = [[0, drive.front[0]]];
  for (let i = 1; i <= drive.frames; i++) {
    const front = Math.min(drive.front[i], drive.roadTiles);
    if (front > found[found.length - 1][1]) found.push([i, front]);
  }
  if (drive.lap) found.push([drive.frames + 1e-9, drive.roadTiles]);
  return found;
}

function along(knots, value, from, to) {
  if (value <= knots[0][from]) return knots[0][to];
  let low = 0, high = knots.length - 1;
  if (value >= knots[high][from]) return knots[high][to];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (knots[middle][from] <= value) low = middle; else high = middle;
  }
  const share = (value - knots[low][from]) / (knots[high][from] - knots[low][from]);
  return knots[low][to] + share * (knots[high][to] - knots[low][to]);
}

const progressAt = (drive, time) => along(drive.knots, Math.min(time, drive.frames), 0, 1);
const timeAt = (drive, progress) => along(drive.knots, progress, 1, 0);

function valueAt(drive, name, time) {
  const at = Math.min(Math.max(time, 0), drive.frames), low = Math.floor(at);
  const values = drive[name], high = Math.min(low + 1, drive.frames);
  return values[low] + (at - low) * (values[high] - values[low]);
}

const ended = (drive, time) => time >= drive.frames;

// The simulator's score: 1000 for all tiles, minus 0.1 per frame; the final score comes from the episode's record.
function scoreAt(drive, time) {
  if (ended(drive, time)) return drive.episode.score;
  const frame = Math.floor(time);
  return frame ? 1000 * drive.tiles[frame] / drive.roadTiles - 0.1 * frame : 0;
}

// Order: finished drivers by time, then the others by progress; with equal progress, who reached it first.
function standings(drives, time) {
  const rows = drives.map((drive) => {
    const progress = progressAt(drive, time);
    return { drive, progress, done: drive.lap && ended(drive, time), reached: timeAt(drive, progress) };
  });
  rows.sort((a, b) => b.done - a.done || (a.done ? a.drive.frames - b.drive.frames
    : b.progress - a.progress || a.reached - b.reached));
  const first = rows[0];
  for (const row of rows) {
    row.units = (first.progress - row.progress) * DATA.tileLength;
    row.seconds = row.done ? (row.drive.frames - first.drive.frames) / DATA.fps
      : Math.max(0, time - timeAt(first.drive, row.progress)) / DATA.fps;
  }
  return rows;
}

const TRACKS = DATA.tracks.map((t) => ({
  ...t,
  road: decodeRoad(t.road),
  drives: t.drives.map((d, i) => decodeDrive(d, { ...DATA.drivers[i], index: i }, t.tiles)),
}));
for (const t of TRACKS) t.frames = Math.max(...t.drives.map((d) => d.frames));
