// Draws the road and the cars. World coordinates are in units with y up; the canvas is in CSS pixels with y down.

const scene = document.getElementById("scene");
const TRAIL_FRAMES = 60, FOLLOWED_UNITS = 110, LEAST_CAR_PIXELS = 22, MAP_SHARE = 0.3;
const view = { x: 0, y: 0, scale: 1, settled: false };
let paint = {};

function readPaint() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["grass", "grass-2", "road", "edge", "kerb-red", "kerb-white", "ink", "paper"]) {
    paint[name] = style.getPropertyValue(`--${name}`).trim();
  }
}

function fitCanvas(canvas) {
  const ratio = devicePixelRatio || 1, { width, height } = canvas.getBoundingClientRect();
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}

function bounds(track) {
  const xs = track.road.map((p) => p[0]), ys = track.road.map((p) => p[1]);
  const [left, right] = [Math.min(...xs), Math.max(...xs)], [low, high] = [Math.min(...ys), Math.max(...ys)];
  return { x: (left + right) / 2, y: (low + high) / 2, width: right - left, height: high - low };
}

function wholeTrack(track, width, height, margin) {
  const b = bounds(track), space = DATA.roadWidth + 2 * margin;
  return { x: b.x, y: b.y, scale: Math.min(width / (b.width + space), height / (b.height + space)) };
}

// Computes the camera's target; the camera moves there smoothly, or jumps.
function aim(track, followed, time, width, height, jump) {
  const wanted = wholeTrack(track, width, height, 12);
  if (followed) {
    wanted.x = valueAt(followed, "x", time);
    wanted.y = valueAt(followed, "y", time);
    wanted.scale = Math.min(width, 1.3 * height) / FOLLOWED_UNITS;
  }
  const share = jump || !view.settled ? 1 : 0.14;
  for (const key of ["x", "y", "scale"]) view[key] += share * (wanted[key] - view[key]);
  view.settled = true;
}

function toWorld(c, width, height, v) {
  c.translate(width / 2, height / 2);
  c.scale(v.scale, -v.scale);
  c.translate(-v.x, -v.y);
}

function drawGrass(c, width, height) {
  c.fillStyle = paint.grass;
  c.fillRect(0, 0, width, height);
  c.save();
  toWorld(c, width, height, view);
  const size = DATA.playfield / 20, w = width / view.scale / 2, h = height / view.scale / 2;
  const [x0, y0] = [Math.floor((view.x - w) / size), Math.floor((view.y - h) / size)];
  c.fillStyle = paint["grass-2"];
  for (let i = x0; i * size < view.x + w; i++) {
    for (let j = y0; j * size < view.y + h; j++) {
      if ((i + j) % 2 === 0) c.fillRect(i * size, j * size, size, size);
    }
  }
  c.restore();
}

function roadPath(track) {
  const path = new Path2D();
  track.road.forEach(([x, y], i) => (i ? path.lineTo(x, y) : path.moveTo(x, y)));
  path.closePath();
  return path;
}

function drawRoad(c, track, kerbs) {
  track.path = track.path || roadPath(track);
  c.lineJoin = "round";
  c.strokeStyle = paint.edge;
  c.lineWidth = DATA.roadWidth + 1.2;
  c.stroke(track.path);
  if (kerbs) {
    for (const [red, ...corners] of track.kerbs) {
      c.fillStyle = paint[red ? "kerb-red" : "kerb-white"];
      c.beginPath();
      for (let i = 0; i < corners.length; i += 2) c.lineTo(corners[i], corners[i + 1]);
      c.fill();
    }
  }
  c.strokeStyle = paint.road;
  c.lineWidth = DATA.roadWidth;
  c.stroke(track.path);
  if (kerbs) drawStart(c, track);
}

function drawStart(c, track) {
  const [[x, y], [nextX, nextY]] = track.road, half = DATA.roadWidth / 2;
  c.save();
  c.translate(x, y);
  c.rotate(Math.atan2(nextY - y, nextX - x));
  for (let row = 0; row < 2; row++) {
    for (let i = 0; i < 10; i++) {
      c.fillStyle = (row + i) % 2 ? paint["kerb-white"] : "#22262b";
      c.fillRect(row * 1.2, -half + (i * half) / 5, 1.2, half / 5);
    }
  }
  c.restore();
}

// Draws the path behind a car: all of it if the whole track is shown, otherwise only the last part, fading.
function drawTrail(c, drive, time, whole, width) {
  const last = Math.min(Math.floor(time), drive.frames);
  const first = whole ? 0 : Math.max(0, last - TRAIL_FRAMES);
  c.strokeStyle = drive.colour;
  c.lineWidth = width;
  c.lineCap = "butt";
  const pieces = whole ? 1 : 6, length = Math.max(1, Math.ceil((last - first) / pieces));
  for (let piece = 0; piece < pieces; piece++) {
    c.globalAlpha = whole ? 0.5 : (0.6 * (piece + 1)) / pieces;
    c.beginPath();
    const end = Math.min(first + (piece + 1) * length, last);
    for (let i = first + piece * length; i <= end; i++) c.lineTo(drive.x[i], drive.y[i]);
    if (end === last) c.lineTo(valueAt(drive, "x", time), valueAt(drive, "y", time));
    c.stroke();
  }
  c.globalAlpha = 1;
}

function drawCar(c, drive, time, grow) {
  c.save();
  c.translate(valueAt(drive, "x", time), valueAt(drive, "y", time));
  c.rotate(valueAt(drive, "angle", time));
  c.scale(grow, grow);
  const [w, h] = DATA.car.wheel;
  DATA.car.wheels.forEach(([x, y], i) => {
    c.save();
    c.translate(x, y);
    if (i < 2) c.rotate((-valueAt(drive, "steering", time) * Math.PI) / 180);
    c.fillStyle = "#14171a";
    c.fillRect(-w, -h, 2 * w, 2 * h);
    c.restore();
  });
  c.strokeStyle = paint.paper;
  c.lineWidth = 0.5;
  c.lineJoin = "round";
  for (const pass of ["stroke", "fill"]) {
    c.fillStyle = drive.colour;
    for (const corners of DATA.car.hull) {
      c.beginPath();
      for (const [x, y] of corners) c.lineTo(x, y);
      c.closePath();
      c[pass]();
    }
  }
  c.restore();
}

// Draws names next to the cars, moved apart where they would overlap.
function drawNames(c, rows, time, width, height, grow) {
  c.font = "600 12px system-ui, sans-serif";
  c.textBaseline = "middle";
  const placed = [];
  for (const { drive } of rows) {
    const x = width / 2 + (valueAt(drive, "x", time) - view.x) * view.scale;
    const y = height / 2 - (valueAt(drive, "y", time) - view.y) * view.scale;
    if (x < -20 || y < -20 || x > width + 20 || y > height + 20) continue;
    const w = c.measureText(drive.short).width + 12, gap = 3.2 * grow * view.scale + 5;
    const box = { x: x + gap + w < width ? x + gap : Math.max(x - gap - w, 4), y: y - 10, w, h: 20 };
    for (let tries = 0; tries < 8; tries++) {
      const hit = placed.find((p) => Math.abs(p.y - box.y) < 21 && p.x < box.x + w && box.x < p.x + p.w);
      if (!hit) break;
      box.y = hit.y + 22;
    }
    placed.push(box);
    c.fillStyle = drive.colour;
    c.beginPath();
    c.roundRect(box.x, box.y, box.w, box.h, 6);
    c.fill();
    c.fillStyle = "#fff";
    c.fillText(drive.short, box.x + 6, box.y + 10.5);
  }
}

function drawMap(c, track, rows, time, width, height) {
  const size = Math.min(190, MAP_SHARE * width, 0.42 * height), x = width - size - 10, y = height - size - 10;
  c.save();
  c.globalAlpha = 0.9;
  c.fillStyle = paint.paper;
  c.beginPath();
  c.roundRect(x, y, size, size, 10);
  c.fill();
  c.globalAlpha = 1;
  c.translate(x, y);
  const v = wholeTrack(track, size, size, 14);
  toWorld(c, size, size, v);
  c.strokeStyle = paint.edge;
  c.lineJoin = "round";
  c.lineWidth = Math.max(DATA.roadWidth, 4 / v.scale);
  c.stroke(track.path);
  for (const { drive } of [...rows].reverse()) {
    c.fillStyle = drive.colour;
    c.strokeStyle = paint.paper;
    c.lineWidth = 1.5 / v.scale;
    c.beginPath();
    c.arc(valueAt(drive, "x", time), valueAt(drive, "y", time), 5 / v.scale, 0, 7);
    c.fill();
    c.stroke();
  }
  c.restore();
}

function drawScene(track, rows, followed, time, jump) {
  const { context: c, width, height } = fitCanvas(scene);
  aim(track, followed, time, width, height, jump);
  drawGrass(c, width, height);
  c.save();
  toWorld(c, width, height, view);
  drawRoad(c, track, true);
  const grow = Math.max(1, LEAST_CAR_PIXELS / (5 * view.scale)), backwards = [...rows].reverse();
  for (const { drive } of backwards) drawTrail(c, drive, time, !followed, followed ? 0.7 : 2 / view.scale);
  for (const { drive } of backwards) drawCar(c, drive, time, grow);
  c.restore();
  drawNames(c, rows, time, width, height, grow);
  if (followed) drawMap(c, track, rows, time, width, height);
}
