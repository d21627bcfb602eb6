"use strict";

const PICTURES_A_SECOND = 25; // of the camera
const PICTURE_WIDTH = 640; // at most, as the network sees less
const RATE_WINDOW = 3000; // milliseconds
const LARGEST_PICTURE = 1920; // pixels a side that the server is asked for
const KEPT_BYTES = 64e6; // of pictures from the server, so that they can be played again
const LOAD_PATIENCE = 1500; // milliseconds for the first frame of a video whose header the browser could read

const part = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const context = part.boxes.getContext("2d");

let facts = null; // what the server says of itself
let run = null; // AbortController of what is going on
let name = "detections"; // of the file to download
let lines = []; // all that came, in order
let answered = []; // those that are not of dropped frames
let moments = []; // when the latest of them came
let shown = null; // line that is drawn
let player = newPlayer(); // of the frames that the server sends of a video that the browser cannot play

function say(state, text) {
  document.body.dataset.state = state;
  part.status.textContent = text;
  part.file.disabled = part.camera.disabled = state === "loading" || state === "busy";
  part.stop.disabled = state !== "busy";
  part.download.disabled = lines.length === 0;
}

function sure(line) {
  return line.detections.filter((found) => found.score >= part.threshold.valueAsNumber);
}

function color(label) {
  return `hsl(${(360 * facts.classes.indexOf(label)) / facts.classes.length} 100% 58%)`;
}

function describe(found) {
  return `${found.label} #${found.track} ${found.score.toFixed(2)}`;
}

// Drawing

function draw(line) {
  shown = line;
  const scale = window.devicePixelRatio;
  part.boxes.width = Math.round(part.stage.clientWidth * scale);
  part.boxes.height = Math.round(part.stage.clientHeight * scale);
  if (line) sure(line).reverse().forEach((found) => drawBox(found, line.size, scale)); // the surest on top
  const items = (line ? sure(line) : []).map((found) => {
    const item = document.createElement("li");
    item.textContent = describe(found);
    item.style.borderColor = color(found.label);
    return item;
  });
  part.found.replaceChildren(...items);
}

function drawBox(found, [height, width], scale) {
  const zoom = [part.boxes.width / width, part.boxes.height / height];
  const [x1, y1, x2, y2] = found.box.map((value, place) => zoom[place % 2] * value);
  context.strokeStyle = context.fillStyle = color(found.label);
  context.lineWidth = 2 * scale;
  context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  context.font = `${13 * scale}px system-ui, sans-serif`;
  const text = describe(found);
  const wide = context.measureText(text).width + 8 * scale;
  const high = 18 * scale;
  const x = Math.max(0, Math.min(x1, part.boxes.width - wide));
  const y = Math.max(0, Math.min(y1 - high, part.boxes.height - high));
  context.fillRect(x, y, wide, high);
  context.fillStyle = "black";
  context.fillText(text, x + 4 * scale, y + 13 * scale);
}

// The last of some lines or pictures up to a time of the video, in seconds
function lastUpTo(time, list) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].time <= time) low = middle + 1;
    else high = middle;
  }
  return list[low - 1] ?? null;
}

function followPlayback(now) {
  if (player.wanted) followPictures(now);
  else {
    const line = part.video.src && !part.video.error ? lastUpTo(part.video.currentTime, answered) : shown;
    if (line !== shown) draw(line);
  }
  requestAnimationFrame(followPlayback);
}

// Pictures from the server: each is drawn together with its own boxes

function newPlayer() {
  return { pictures: [], bytes: 0, step: 1, count: 0, wanted: null, painted: null, painting: false, playing: false, now: 0 };
}

// Takes the picture out of a line; when too many bytes are kept, every other picture is given up
function keepPicture(line) {
  const bytes = Uint8Array.from(atob(line.picture), (letter) => letter.charCodeAt(0));
  delete line.picture;
  player.wanted = { time: line.time, line, blob: new Blob([bytes], { type: "image/jpeg" }) };
  if (player.count++ % player.step) return;
  player.pictures.push(player.wanted);
  player.bytes += bytes.length;
  if (player.bytes <= KEPT_BYTES) return;
  player.step *= 2;
  player.pictures = player.pictures.filter((_, place) => place % 2 === 0);
  player.bytes = player.pictures.reduce((sum, { blob }) => sum + blob.size, 0);
}

async function paint(picture) {
  const owner = player;
  owner.painting = true;
  const bitmap = await createImageBitmap(picture.blob);
  if (owner === player) {
    [part.picture.width, part.picture.height] = [bitmap.width, bitmap.height];
    part.picture.getContext("2d").drawImage(bitmap, 0, 0);
    draw(picture.line);
    owner.painted = picture;
  }
  bitmap.close();
  owner.painting = false;
}

function followPictures(now) {
  const seconds = (now - player.now) / 1000;
  player.now = now;
  if (player.playing) {
    const time = part.position.valueAsNumber + seconds;
    seek(time < part.position.max ? time : 0);
  }
  if (player.wanted !== player.painted && !player.painting) paint(player.wanted);
}

function seek(time) {
  part.position.value = time;
  part.clock.textContent = `${part.position.valueAsNumber.toFixed(1)} s`;
  player.wanted = lastUpTo(part.position.valueAsNumber, player.pictures) ?? player.pictures[0];
}

function setPlaying(playing) {
  player.playing = playing;
  part.play.textContent = playing ? "Pause" : "Play";
}

// Lets the user play what has come, which lasts as long as its frames are shown
function offerPlayer() {
  part.player.hidden = player.pictures.length === 0;
  if (part.player.hidden) return;
  const { time } = player.pictures.at(-1);
  part.position.max = time + time / Math.max(1, player.pictures.length - 1);
  part.position.value = time;
  setPlaying(false);
}

// What both sources share

function begin(text) {
  run?.abort();
  run = new AbortController();
  [lines, answered, moments] = [[], [], []];
  player = newPlayer();
  [part.picture.width, part.player.hidden] = [1, true];
  part.rate.textContent = "";
  draw(null);
  say("busy", text);
  return run.signal;
}

function take(line) {
  if (line.error) throw new Error(line.error);
  if (line.picture) keepPicture(line);
  lines.push(line);
  if (line.dropped) return;
  answered.push(line);
  showRate(line);
  part.download.disabled = false;
  part.stage.style.setProperty("--ratio", line.size[1] / line.size[0]);
}

function showRate(line) {
  const now = performance.now();
  moments = [...moments.filter((moment) => now - moment < RATE_WINDOW), now];
  const rate = (1000 * (moments.length - 1)) / (now - moments[0] || 1);
  const total = part.video.src && part.video.duration;
  const percent = total ? ` (${Math.min(100, Math.round((100 * line.time) / total))} %)` : "";
  part.rate.textContent = `Frame ${line.frame}${percent}, ${rate.toFixed(1)} frames/s`;
}

function end(state, text) {
  run?.abort();
  run = null;
  part.video.controls = part.video.src !== "";
  offerPlayer();
  const rest = lines.length - answered.length;
  const counts = `${answered.length} frames answered${rest ? `, ${rest} dropped` : ""}.`;
  say(state, lines.length ? `${text} ${counts}` : text);
}

function fail(error) {
  end("error", error.message.replace(/\.?$/, "."));
}

// A video: the server answers while the browser shows the frame that was answered last, then plays

async function* readLines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const texts = (rest + read.value).split("\n");
    rest = texts.pop();
    yield* texts.map((text) => JSON.parse(text));
  }
}

// Gives the video element a file or a camera; resolves when it knows whether it can play that
function load({ file = null, media = null }) {
  const ready = new Promise((resolve) => {
    part.video.onloadeddata = part.video.onerror = resolve;
    part.video.onloadedmetadata = () => setTimeout(resolve, LOAD_PATIENCE); // some telephones load no frame unasked
  });
  if (part.video.src) URL.revokeObjectURL(part.video.src);
  part.video.removeAttribute("src");
  part.video.controls = false;
  part.video.srcObject = media;
  if (file) part.video.src = URL.createObjectURL(file);
  document.body.dataset.shown = "";
  return ready;
}

// Loads a file; true if the browser can play it
async function canPlay(file) {
  await load({ file });
  return !part.video.error && part.video.videoWidth > 0;
}

function showFrame(line) {
  if (part.video.src && !part.video.seeking) part.video.currentTime = line.time + 0.001; // rounded times may be early
}

function addressFor(blind) {
  const side = Math.max(part.stage.clientWidth, part.stage.clientHeight) * window.devicePixelRatio;
  return blind ? `video?pictures=${Math.min(LARGEST_PICTURE, Math.ceil(side))}` : "video";
}

async function predictFile(file, playable = true) {
  if (file.size > facts.max_upload) {
    return say("error", `${file.name} has ${megabytes(file.size)}, the server takes ${megabytes(facts.max_upload)}.`);
  }
  const signal = begin(`Sending ${file.name}…`);
  name = file.name.replace(/\.[^.]*$/, "");
  try {
    const blind = !(playable && (await canPlay(file)));
    if (signal.aborted) return;
    if (blind) load({}); // nothing, so that what is shown comes from the server alone
    else part.video.onerror = () => predictFile(file, false); // a later frame is damaged or of another kind
    const remark = blind ? " This browser cannot show the video itself; the server sends its frames." : "";
    const response = await fetch(addressFor(blind), { method: "POST", body: file, signal });
    if (!response.ok) throw new Error(await response.text());
    say("busy", `Looking at ${file.name}.${remark}`);
    for await (const line of readLines(response.body)) {
      take(line);
      showFrame(line);
    }
    end("done", `Done.${remark}`);
    if (blind) setPlaying(true);
    else await part.video.play().catch(() => {}); // the browser says why on the video
  } catch (error) {
    if (!signal.aborted) fail(error);
  }
}

function megabytes(bytes) {
  return `${Number((bytes / 1e6).toFixed(1))} MB`;
}

// A camera: pictures go out as fast as the line takes them, lines come back

async function openCamera() {
  if (!navigator.mediaDevices) throw new Error("Browsers lend their camera only to pages on localhost or https");
  const wish = { width: { ideal: PICTURE_WIDTH }, frameRate: { ideal: PICTURES_A_SECOND } };
  try {
    return await navigator.mediaDevices.getUserMedia({ video: wish });
  } catch (error) {
    const reasons = { NotAllowedError: "The camera was not allowed", NotFoundError: "There is no camera" };
    throw new Error(reasons[error.name] ?? `The camera cannot be used: ${error.message}`);
  }
}

function sendPictures(socket, signal) {
  const canvas = document.createElement("canvas");
  let busy = false;
  const timer = setInterval(() => {
    if (busy || socket.readyState !== WebSocket.OPEN || socket.bufferedAmount || !part.video.videoWidth) return;
    const zoom = Math.min(1, PICTURE_WIDTH / part.video.videoWidth);
    canvas.width = Math.round(zoom * part.video.videoWidth);
    canvas.height = Math.round(zoom * part.video.videoHeight);
    canvas.getContext("2d").drawImage(part.video, 0, 0, canvas.width, canvas.height);
    busy = true;
    canvas.toBlob((picture) => {
      busy = false;
      if (picture && socket.readyState === WebSocket.OPEN) socket.send(picture);
    }, "image/jpeg", 0.8);
  }, 1000 / PICTURES_A_SECOND);
  signal.addEventListener("abort", () => clearInterval(timer));
}

function connect(signal) {
  const socket = new WebSocket(new URL("camera", location.href.replace(/^http/, "ws")));
  signal.addEventListener("abort", () => socket.close());
  socket.onopen = () => say("busy", "The camera is on.");
  socket.onmessage = (message) => {
    if (signal.aborted) return;
    try {
      take(JSON.parse(message.data));
      draw(answered.at(-1));
    } catch (error) {
      fail(error);
    }
  };
  socket.onclose = (event) => {
    if (!signal.aborted) fail(new Error(`The server ended the connection (${event.code})`));
  };
  return socket;
}

async function followCamera() {
  const signal = begin("Waiting for the camera…");
  name = "camera";
  try {
    const media = await openCamera();
    const close = () => media.getTracks().forEach((track) => track.stop());
    if (signal.aborted) return close(); // while the user was asked
    signal.addEventListener("abort", close);
    await load({ media });
    if (signal.aborted) return;
    await part.video.play();
    sendPictures(connect(signal), signal);
  } catch (error) {
    if (!signal.aborted) fail(error);
  }
}

// The rest

function download() {
  const chosen = lines.map((line) => (line.dropped ? line : { ...line, detections: sure(line) }));
  const text = chosen.map((line) => `${JSON.stringify(line)}\n`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(text, { type: "application/x-ndjson" }));
  link.download = `${name}.jsonl`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function showThreshold() {
  part.least.textContent = part.threshold.valueAsNumber.toFixed(2);
  if (facts) draw(shown);
}

async function start() {
  part.file.addEventListener("change", () => part.file.files[0] && predictFile(part.file.files[0]));
  part.file.addEventListener("click", () => (part.file.value = "")); // so that the same file can be chosen again
  part.camera.addEventListener("click", followCamera);
  part.stop.addEventListener("click", () => end("done", "Stopped."));
  part.download.addEventListener("click", download);
  part.threshold.addEventListener("input", showThreshold);
  part.play.addEventListener("click", () => setPlaying(!player.playing));
  part.position.addEventListener("input", () => seek(part.position.valueAsNumber));
  window.addEventListener("resize", () => facts && draw(shown));
  try {
    facts = await (await fetch("facts")).json();
    part.threshold.min = facts.threshold;
    showThreshold();
    requestAnimationFrame(followPlayback);
    say("empty", `Choose a video of at most ${megabytes(facts.max_upload)}, or use the camera.`);
  } catch (error) {
    say("error", `The server does not answer (${error.message}); start it again and reload this page.`);
    part.file.disabled = part.camera.disabled = true;
  }
}

start();
