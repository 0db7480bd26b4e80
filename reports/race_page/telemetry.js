// Draws curves over time. They are drawn once; the current time is a line on top.

const FIGURES = [...document.querySelectorAll("figure canvas")];
const MOST_GAP = 10;  // seconds; larger gaps are drawn at the edge
const LEFT = 34, BOTTOM = 16, TOP = 6, RIGHT = 8;
const sheets = new Map();

const most = (track, channel) =>
  Math.max(...track.drives.map((d) => d[channel].reduce((a, b) => Math.max(a, b), 0)));

// Computes the seconds behind the leader at every frame.
function addGaps(track) {
  for (const drive of track.drives) drive.gap = new Float32Array(drive.frames + 1);
  for (let frame = 0; frame <= track.frames; frame++) {
    for (const { drive, seconds } of standings(track.drives, frame)) {
      if (frame <= drive.frames) drive.gap[frame] = Math.min(seconds, MOST_GAP);
    }
  }
}

function range(track, channel) {
  if (channel === "tiles") return [0, track.tiles];
  if (channel === "steering") return [-25, 25];
  if (channel === "gap") return [clamp(most(track, "gap"), 0.5, MOST_GAP), 0];
  return [0, Math.max(20, Math.ceil(most(track, "speed") / 20) * 20)];
}

function drawCurves(canvas, track) {
  const { width, height } = fitCanvas(canvas), sheet = canvas.cloneNode();
  const c = sheet.getContext("2d"), ratio = canvas.width / width;
  c.scale(ratio, ratio);
  const channel = canvas.dataset.channel, [low, high] = range(track, channel);
  const x = (frame) => LEFT + (frame / track.frames) * (width - LEFT - RIGHT);
  const y = (value) => TOP + ((high - value) / (high - low)) * (height - TOP - BOTTOM);
  c.font = "11px system-ui, sans-serif";
  c.fillStyle = c.strokeStyle = paint.ink;
  c.lineWidth = 1;
  const digits = channel === "gap" ? 1 : 0;
  const ticks = channel === "steering" ? [-20, 0, 20] : [low, (low + high) / 2, high];
  c.textAlign = "right";
  c.textBaseline = "middle";
  for (const tick of ticks) {
    c.globalAlpha = 0.15;
    c.fillRect(LEFT, Math.round(y(tick)), width - LEFT - RIGHT, 1);
    c.globalAlpha = 0.75;
    c.fillText(tick.toFixed(digits), LEFT - 5, y(tick));
  }
  c.textAlign = "center";
  c.textBaseline = "bottom";
  for (let s = 0; s * DATA.fps <= track.frames; s += 5) c.fillText(s ? `${s} s` : "0", x(s * DATA.fps), height);
  c.globalAlpha = 0.9;
  c.lineWidth = 1.5;
  c.lineJoin = "round";
  for (const drive of [...track.drives].reverse()) {
    c.strokeStyle = drive.colour;
    c.beginPath();
    for (let i = 0; i <= drive.frames; i++) c.lineTo(x(i), y(drive[channel][i]));
    c.stroke();
  }
  sheets.set(canvas, { sheet, x, y, width, height });
}

function drawTelemetry(track, time, anew) {
  if (!track.drives[0].gap) addGaps(track);
  for (const canvas of FIGURES) {
    if (anew || !sheets.has(canvas)) drawCurves(canvas, track);
    const { sheet, x, y, width, height } = sheets.get(canvas), c = canvas.getContext("2d");
    c.clearRect(0, 0, width, height);
    c.drawImage(sheet, 0, 0, width, height);
    c.fillStyle = paint.ink;
    c.fillRect(x(time) - 0.75, TOP, 1.5, height - TOP - BOTTOM);
    for (const drive of track.drives) {
      c.fillStyle = drive.colour;
      c.beginPath();
      c.arc(x(Math.min(time, drive.frames)), y(valueAt(drive, canvas.dataset.channel, time)), 3.5, 0, 7);
      c.fill();
    }
  }
}

// Clicking or dragging on a curve moves to that time.
function onTelemetry(seek) {
  for (const canvas of FIGURES) {
    const go = (event) => {
      const box = canvas.getBoundingClientRect();
      seek((event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT));
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      go(event);
    });
    canvas.addEventListener("pointermove", (event) => canvas.hasPointerCapture(event.pointerId) && go(event));
  }
}
