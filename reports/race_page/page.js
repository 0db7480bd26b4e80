// The state of the page, and what changes it: buttons, keys, the clock, and the address behind #.

const at = (id) => document.getElementById(id);
const SPEEDS = [...at("speed").options].map((o) => Number(o.value));
const now = { track: TRACKS[0], time: 0, playing: false, camera: "leader", jump: true, anew: true };
let asked = false, before = 0, leads = null;

const seconds = (frames) => (frames / DATA.fps).toFixed(2);

function element(parent, kind, className, text = "") {
  const made = document.createElement(kind);
  if (className) made.className = className;
  made.textContent = text;
  parent.append(made);
  return made;
}

function fillChoices() {
  for (const t of TRACKS) at("track").append(new Option(t.track, t.track));
  at("camera").append(new Option("the leader", "leader"), new Option("whole track", "all"));
  DATA.drivers.forEach((d, i) => at("camera").append(new Option(d.title, i)));
  const list = at("standings");
  DATA.drivers.forEach((d, i) => {
    const item = element(list, "li"), button = element(item, "button");
    button.type = "button";
    button.title = `Follow (${i + 1})`;
    button.style.setProperty("--colour", d.colour);
    button.addEventListener("click", () => follow(now.camera === String(i) ? "leader" : String(i)));
    for (const part of ["rank", "name", "gap", "score", "detail"]) element(button, "span", part);
    const detail = button.querySelector(".detail");
    for (const part of ["bar", "wheel", "kmh", "tiles"]) element(detail, "span", part);
    element(detail.querySelector(".bar"), "i");
    element(detail.querySelector(".wheel"), "i");
    button.querySelector(".name").textContent = d.title;
  });
}

function gapText(row, first, time) {
  const { drive } = row, missing = drive.roadTiles - drive.episode.tiles;
  if (row.done) return row === first ? `${seconds(drive.frames)} s` : `+${row.seconds.toFixed(2)} s`;
  if (ended(drive, time)) return drive.episode.end_reason === "out" ? "left the field" : `no lap: ${missing} missed`;
  if (row === first) return time ? "leads" : "";
  return `+${row.seconds.toFixed(2)} s`;
}

function showStandings(rows, time) {
  const items = at("standings").children;
  rows.forEach((row, place) => {
    const { drive } = row, item = items[drive.index], part = (name) => item.querySelector(`.${name}`);
    const frame = Math.min(Math.floor(time), drive.frames), tiles = drive.tiles[frame];
    const score = scoreAt(drive, time);
    item.style.order = place;
    Object.assign(item.dataset, { place: place + 1, score, title: drive.title, ended: ended(drive, time) });
    part("rank").textContent = place + 1;
    part("gap").textContent = gapText(row, rows[0], time);
    part("score").textContent = score.toFixed(1);
    part("bar").firstChild.style.width = `${(100 * tiles) / drive.roadTiles}%`;
    const turn = clamp(valueAt(drive, "steering", time) / 25, -1, 1) * 50;
    Object.assign(part("wheel").firstChild.style, { left: `${50 + Math.min(turn, 0)}%`, width: `${Math.abs(turn)}%` });
    part("kmh").textContent = `${valueAt(drive, "speed", time).toFixed(0)} u/s`;
    part("tiles").textContent = `${tiles}/${drive.roadTiles}`;
    item.firstChild.setAttribute("aria-pressed", now.camera === String(drive.index));
  });
}

function leadText(rows, time) {
  const [first, second] = rows, name = first.drive.short;
  if (!second) return first.done ? `${name}: ${seconds(first.drive.frames)} s` : name;
  if (first.done) {
    const margin = second.done ? ` by ${second.seconds.toFixed(2)} s` : "";
    return `${name} wins in ${seconds(first.drive.frames)} s${margin}`;
  }
  if (first.progress === second.progress && first.reached === second.reached) return "side by side";
  const units = second.units.toFixed(0);
  return `${name} leads ${second.drive.short} by ${second.seconds.toFixed(2)} s (${units} unit${units === "1" ? "" : "s"})`;
}

function show() {
  const { track, time } = now, rows = standings(track.drives, time);
  const followed = now.camera === "all" ? null
    : now.camera === "leader" ? rows[0].drive : track.drives[Number(now.camera)];
  drawScene(track, rows, followed, time, now.jump);
  drawTelemetry(track, time, now.anew);
  now.jump = now.anew = false;
  showStandings(rows, time);
  at("lead").textContent = leadText(rows, time);
  at("lead").style.setProperty("--colour", rows[0].drive.colour);
  at("clock").textContent = `${seconds(time)} s`;
  at("time").value = time;
  at("time").setAttribute("aria-valuetext", `${seconds(time)} seconds of ${seconds(track.frames)}`);
  if (time && rows[0].drive !== leads) {
    leads = rows[0].drive;
    at("said").textContent = `${leads.title} leads`;
  }
}

function draw(clock) {
  asked = false;
  if (now.playing) {
    const passed = Math.min(clock - before, 100) / 1000;
    now.time = Math.min(now.time + passed * DATA.fps * Number(at("speed").value), now.track.frames);
    if (now.time >= now.track.frames) play(false);
  }
  before = clock;
  show();
  if (now.playing) ask();
}

function ask() {
  if (!asked) requestAnimationFrame(draw);
  asked = true;
}

function play(on) {
  if (on && now.time >= now.track.frames) seek(0);
  now.playing = on;
  at("play").textContent = on ? "❚❚" : "▶";
  at("play").setAttribute("aria-label", on ? "Pause" : "Play");
  before = performance.now();
  ask();
}

function seek(time) {
  now.time = clamp(time, 0, now.track.frames);
  now.jump = true;
  ask();
}

function follow(camera) {
  now.camera = String(camera);
  at("camera").value = now.camera;
  ask();
}

function choose(track) {
  Object.assign(now, { track, time: 0, jump: true, anew: true });
  leads = null;
  at("track").value = track.track;
  at("time").max = track.frames;
  ask();
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  readPaint();
  now.anew = true;
  ask();
}

const isDark = () => getComputedStyle(document.documentElement).colorScheme.trim() === "dark";
const step = (list, value, by) => list[(list.indexOf(value) + by + list.length) % list.length];

function faster(by) {
  at("speed").value = SPEEDS[clamp(SPEEDS.indexOf(Number(at("speed").value)) + by, 0, SPEEDS.length - 1)];
}

const KEYS = {
  " ": () => play(!now.playing),
  ArrowLeft: () => seek(now.time - DATA.fps),
  ArrowRight: () => seek(now.time + DATA.fps),
  ",": () => { play(false); seek(Math.ceil(now.time) - 1); },
  ".": () => { play(false); seek(Math.floor(now.time) + 1); },
  Home: () => seek(0),
  End: () => seek(now.track.frames),
  "+": () => faster(1), "=": () => faster(1), "-": () => faster(-1),
  c: () => follow(step([...at("camera").options].map((o) => o.value), now.camera, 1)),
  t: () => choose(step(TRACKS, now.track, 1)),
  d: () => setTheme(isDark() ? "light" : "dark"),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.length > 1 ? event.key : event.key.toLowerCase(), in_ = event.target.tagName;
  if (in_ === "SELECT") return;  // a selection box handles these keys itself
  if (in_ === "BUTTON" && key === " ") return;
  const driver = Number(key) - 1;
  const act = driver in DATA.drivers ? () => follow(driver) : KEYS[key];
  if (!act) return;
  event.preventDefault();
  act();
}

// page.html#track=3&time=8.5&camera=all&theme=dark shows a paused race at this time.
function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (["light", "dark"].includes(given.get("theme"))) setTheme(given.get("theme"));
  choose(TRACKS.find((t) => String(t.track) === given.get("track")) || TRACKS[0]);
  const camera = given.get("camera");
  if ([...at("camera").options].some((o) => o.value === camera)) follow(camera);
  if (given.has("time")) seek(DATA.fps * Number(given.get("time")) || 0);
  return given.has("time");
}

fillChoices();
readPaint();
at("play").addEventListener("click", () => play(!now.playing));
scene.addEventListener("click", () => play(!now.playing));
at("time").addEventListener("input", () => seek(Number(at("time").value)));
at("camera").addEventListener("change", () => follow(at("camera").value));
at("track").addEventListener("change", () => choose(TRACKS[at("track").selectedIndex]));
at("theme").addEventListener("click", KEYS.d);
addEventListener("keydown", onKey);
addEventListener("hashchange", () => play(!readAddress()));
onTelemetry((share) => seek(share * now.track.frames));
new ResizeObserver(() => { now.anew = now.jump = true; ask(); }).observe(document.body);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readPaint(); now.anew = true; ask(); });
at("note").textContent = `The drivers saw through the ${DATA.camera} camera, one at a time: ghosts cannot touch. `
  + "Score: 1000 for all tiles, less 0.1 per frame of 1/50 s.";
const still = readAddress();
play(!still && !matchMedia("(prefers-reduced-motion: reduce)").matches);
