// The player: sound from raw bytes, drawn with its genre curves under a moving playhead.
//
// Data is one run of bytes (see `app/player`): the length of a description, the description as JSON, then the sound, then the
// picture of a spectrogram if there is one. Nothing is fetched. One player of a page sounds at a time.

const PICTURE_HEIGHT = 84, CURVES_HEIGHT = 120, GAP = 6;
const STEP_S = 5, SMALL_STEP_S = 1, SHORTEST_REGION_S = 0.2;
const WAVEFORM_RATE = 8000;      // Hz: enough to draw, a sixth of the memory
const LONGEST_WAVEFORM_BYTES = 30e6;
const MOST_NAMED = 6;            // genres that are named under the curves

// Whatever begins to sound silences all else, be it a player or Streamlit's own: they do not bubble, but are seen on their way.
if (!window.genrescopeOneSound) {
  window.genrescopeOneSound = true;
  document.addEventListener("play", ({ target }) => {
    for (const other of document.querySelectorAll("audio")) if (other !== target) other.pause();
  }, true);
}

const players = new WeakMap();   // by the element that Streamlit gives, which outlives a rerun of the page

export default function ({ data, parentElement }) {
  const about = unpacked(data);
  let player = players.get(parentElement);
  if (player?.about.id !== about.id) {
    player?.end();
    player = new Player(parentElement.querySelector(".player"), about);
    players.set(parentElement, player);
  }
  return () => {
    // Streamlit also calls this before it calls the function above anew: only what has left the page is over.
    setTimeout(() => {
      if (!parentElement.isConnected) {
        player.end();
        players.delete(parentElement);
      }
    });
  };
}

function unpacked(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const about = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const sound = bytes.subarray(4 + length, 4 + length + about.sound_bytes);
  return { ...about, sound, pixels: bytes.subarray(4 + length + about.sound_bytes) };
}

class Player {
  constructor(root, about) {
    Object.assign(this, { root, about, peaks: null, region: null, isDrawing: false, over: new AbortController() });
    for (const part of ["play", "time", "loop", "stage", "region", "head", "axis", "now", "problem", "view"]) {
      this[`${part}Element`] = root.querySelector(`.player-${part}`);
    }
    this.audio = root.querySelector("audio");
    this.canvas = root.querySelector("canvas");
    this.url = URL.createObjectURL(new Blob([about.sound], { type: about.kind }));
    this.audio.src = this.url;
    this.audio.autoplay = Boolean(about.autoplay);
    this.listen();
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.stageElement);
    this.nameGenres();
    this.showsPicture = false;
    this.problemElement.hidden = true;  // the song before may have had one
    this.viewElement.hidden = !about.picture;
    this.draw();
    this.readWaveform();
  }

  end() {
    this.over.abort();
    this.resized.disconnect();
    cancelAnimationFrame(this.frame);
    this.audio.pause();
    this.audio.removeAttribute("src");
    URL.revokeObjectURL(this.url);
    this.nowElement.replaceChildren();
  }

  /** Seconds; what the curves say until the sound tells. */
  get duration() {
    return Number.isFinite(this.audio.duration) ? this.audio.duration : this.about.duration_s || 0;
  }

  listen() {
    const on = (target, kinds, handler) => {
      for (const kind of kinds.split(" ")) target.addEventListener(kind, handler, { signal: this.over.signal });
    };
    on(this.audio, "play", () => this.move());
    on(this.audio, "play pause ended", () => this.tell());
    on(this.audio, "loadedmetadata durationchange", () => this.draw());
    on(this.audio, "seeked timeupdate", () => this.show());
    on(this.audio, "error", () => {
      this.problemElement.hidden = false;
      this.problemElement.textContent = "Your browser cannot play this sound. Its genres are shown all the same.";
    });
    on(this.playElement, "click", () => this.toggle());
    on(this.loopElement, "click", () => this.toggleRegion());
    on(this.viewElement, "click", () => {
      this.showsPicture = !this.showsPicture;
      this.draw();
    });
    on(this.root, "keydown", (event) => this.key(event));
    on(this.stageElement, "pointerdown", (event) => this.press(event));
    on(this.stageElement, "pointermove", (event) => this.drag(event));
    on(this.stageElement, "pointerup pointercancel", () => this.release());
  }

  toggle() {
    if (this.audio.paused) this.audio.play().catch(() => {});  // refused until the page was touched: nothing to say
    else this.audio.pause();
  }

  seek(seconds) {
    this.audio.currentTime = Math.min(Math.max(0, seconds), this.duration);
    this.show();
  }

  /** The second of the song under a pointer. */
  secondAt(event) {
    const { left, width } = this.stageElement.getBoundingClientRect();
    return (Math.min(Math.max(0, event.clientX - left), width) / width) * this.duration;
  }

  press(event) {
    if (event.button || !this.duration) return;
    this.stageElement.setPointerCapture(event.pointerId);
    this.pressed = { at: this.secondAt(event), makesRegion: this.isDrawing || event.shiftKey };
    if (!this.pressed.makesRegion) this.seek(this.pressed.at);
  }

  drag(event) {
    if (!this.pressed) return;
    const at = this.secondAt(event);
    if (!this.pressed.makesRegion) this.seek(at);
    else this.setRegion(Math.min(at, this.pressed.at), Math.max(at, this.pressed.at));
  }

  release() {
    const { makesRegion } = this.pressed ?? {};
    this.pressed = null;
    if (!makesRegion) return;
    this.isDrawing = false;
    if (this.region && this.region.end - this.region.start < SHORTEST_REGION_S) this.region = null;
    if (this.region) this.seek(this.region.start);
    this.tell();
  }

  setRegion(start, end) {
    this.region = { start, end };
    this.tell();
  }

  /** Off, waiting for a drag, on, off. */
  toggleRegion() {
    if (this.region) [this.region, this.isDrawing] = [null, false];
    else this.isDrawing = !this.isDrawing;
    this.tell();
  }

  /** L at the beginning of a part, L at its end, L to play on. */
  markRegion() {
    const now = this.audio.currentTime;
    if (this.region) this.region = this.marked = null;
    else if (this.marked != null && now - this.marked >= SHORTEST_REGION_S) {
      this.region = { start: this.marked, end: now };
      this.marked = null;
    } else this.marked = now;
    this.tell();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const now = this.audio.currentTime, step = event.shiftKey ? SMALL_STEP_S : STEP_S;
    const actions = {
      ArrowLeft: () => this.seek(now - step),
      ArrowRight: () => this.seek(now + step),
      Home: () => this.seek(0),
      End: () => this.seek(this.duration),
      l: () => this.markRegion(),
      L: () => this.markRegion(),
    };
    if (event.target === this.stageElement) actions[" "] = () => this.toggle();  // a button has its own
    const action = actions[event.key];
    if (!action) return;
    action();
    event.preventDefault();
    event.stopPropagation();
  }

  /** While it plays: the playhead, as often as the screen is drawn. */
  move() {
    if (this.region && this.audio.currentTime >= this.region.end) this.audio.currentTime = this.region.start;
    this.show();
    if (!this.audio.paused) this.frame = requestAnimationFrame(() => this.move());
  }

  /** Buttons and region as things stand. */
  tell() {
    const isPlaying = !this.audio.paused && !this.audio.ended;
    this.root.dataset.state = isPlaying ? "playing" : "paused";
    this.playElement.setAttribute("aria-label", isPlaying ? "Pause" : "Play");
    this.loopElement.setAttribute("aria-pressed", String(Boolean(this.region)));
    this.loopElement.lastElementChild.textContent = this.region
      ? `Repeating ${clock(this.region.start)}–${clock(this.region.end)}`
      : this.isDrawing ? "Now drag across it" : this.marked != null ? `From ${clock(this.marked)}; L at its end` : "Repeat a part";
    this.stageElement.classList.toggle("drawing", this.isDrawing);
    this.regionElement.hidden = !this.region;
    if (this.region) {
      this.regionElement.style.left = `${(100 * this.region.start) / this.duration}%`;
      this.regionElement.style.width = `${(100 * (this.region.end - this.region.start)) / this.duration}%`;
    }
    this.show();
  }

  /** The playhead, the clock, and what the curves say there. */
  show() {
    const now = this.audio.currentTime;
    this.headElement.style.left = `${this.duration ? (100 * now) / this.duration : 0}%`;
    this.timeElement.textContent = `${clock(now)} / ${clock(this.duration)}`;
    const shares = this.sharesAt(now);
    for (const [place, item] of [...this.nowElement.children].entries()) {
      item.lastElementChild.textContent = percent(shares[this.named[place]]);
    }
    const told = this.named.map((genre) => `${this.about.curves.genres[genre]} ${percent(shares[genre])}`);
    this.stageElement.setAttribute("aria-valuemax", this.duration.toFixed(1));
    this.stageElement.setAttribute("aria-valuenow", now.toFixed(2));
    this.stageElement.setAttribute("aria-valuetext", [`${clock(now)} of ${clock(this.duration)}`, ...told].join(", "));
  }

  /** Shares of the genres at a second, between the points of the curves. */
  sharesAt(second) {
    const curves = this.about.curves;
    if (!curves) return [];
    const after = curves.times.findIndex((time) => time >= second);
    if (after < 0) return curves.shares.at(-1);
    if (after === 0) return curves.shares[0];
    const [a, b] = [curves.times[after - 1], curves.times[after]], part = (second - a) / (b - a || 1);
    return curves.shares[after].map((share, genre) => (1 - part) * curves.shares[after - 1][genre] + part * share);
  }

  nameGenres() {
    const { curves } = this.about;
    this.named = [];
    this.nowElement.replaceChildren();
    if (!curves) return;
    const whole = curves.genres.map((_, genre) => curves.shares.reduce((sum, row) => sum + row[genre], 0));
    this.named = curves.genres.map((_, genre) => genre).sort((a, b) => whole[b] - whole[a]).slice(0, MOST_NAMED);
    for (const genre of this.named) {
      const item = document.createElement("li"), swatch = document.createElement("i");
      swatch.style.background = curves.colours[genre];
      const name = document.createElement("span"), share = document.createElement("span");
      name.textContent = curves.genres[genre];
      item.append(swatch, name, share);
      this.nowElement.append(item);
    }
  }

  /** Peaks of the sound, by the browser's own decoder, so that they lie where it plays them. */
  async readWaveform() {
    if (this.about.sound.length > LONGEST_WAVEFORM_BYTES) return;
    try {
      const context = new OfflineAudioContext(1, 1, WAVEFORM_RATE);
      const decoded = await context.decodeAudioData(this.about.sound.slice().buffer);
      if (this.over.signal.aborted) return;
      this.peaks = peaksOf(decoded);
      this.draw();
    } catch {
      // what it cannot decode it cannot play either, and says so
    }
  }

  draw() {
    const { picture, curves } = this.about;
    const width = this.stageElement.clientWidth, scale = window.devicePixelRatio || 1;
    const height = PICTURE_HEIGHT + (curves ? GAP + CURVES_HEIGHT : 0);
    if (!width) return;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.canvas.style.height = `${height}px`;
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    this.viewElement.lastElementChild.textContent = this.showsPicture ? "Show waveform" : "Show spectrogram";
    if (this.showsPicture) drawPicture(pen, picture, this.about.pixels, width);
    else drawWaveform(pen, this.peaks, width);
    if (curves && this.duration) drawCurves(pen, curves, this.duration, width);
    this.drawAxis(width);
    this.tell();
  }

  drawAxis(width) {
    const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
    const step = steps.find((seconds) => (seconds / this.duration) * width >= 60) ?? 7200;
    const marks = [];
    for (let second = 0; second <= this.duration * 0.97; second += step) {
      const mark = document.createElement("span");
      mark.textContent = clock(second);
      mark.style.left = `${(100 * second) / this.duration}%`;
      marks.push(mark);
    }
    this.axisElement.replaceChildren(...marks);
  }
}

function peaksOf(decoded) {
  const samples = decoded.getChannelData(0), n = 1200, peaks = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    const end = Math.floor(((i + 1) * samples.length) / n);
    for (let j = Math.floor((i * samples.length) / n); j < end; j++) peaks[i] = Math.max(peaks[i], Math.abs(samples[j]));
  }
  return peaks;
}

function drawWaveform(pen, peaks, width) {
  pen.fillStyle = "#808890";  // seen on light and on dark
  const middle = PICTURE_HEIGHT / 2;
  for (let x = 0; x < width; x++) {
    const peak = peaks ? peaks[Math.floor((x / width) * peaks.length)] : 0;
    const half = Math.max(0.5, Math.min(1, peak) * (middle - 2));
    pen.fillRect(x, middle - half, 1, 2 * half);
  }
}

function drawPicture(pen, { columns, bands }, pixels, width) {
  const picture = new OffscreenCanvas(columns, bands), image = new ImageData(columns, bands);
  for (let i = 0; i < columns * bands; i++) {
    image.data.set(pixels.subarray(3 * i, 3 * i + 3), 4 * i);
    image.data[4 * i + 3] = 255;
  }
  picture.getContext("2d").putImageData(image, 0, 0);
  pen.drawImage(picture, 0, 0, width, PICTURE_HEIGHT);
}

function drawCurves(pen, { times, shares, colours, muted }, duration, width) {
  const top = PICTURE_HEIGHT + GAP, x = times.map((time) => (time / duration) * width);
  let below = times.map(() => 0);
  pen.globalAlpha = muted ? 0.25 : 1;
  for (const [genre, colour] of colours.entries()) {
    const above = below.map((share, i) => share + shares[i][genre]);
    pen.beginPath();
    above.forEach((share, i) => pen.lineTo(x[i], top + CURVES_HEIGHT * (1 - share)));
    for (let i = below.length - 1; i >= 0; i--) pen.lineTo(x[i], top + CURVES_HEIGHT * (1 - below[i]));
    pen.fillStyle = colour;
    pen.fill();
    below = above;
  }
  pen.globalAlpha = 1;
}

function clock(seconds) {
  const whole = Math.floor(seconds || 0), minutes = Math.floor(whole / 60);
  const rest = String(whole % 60).padStart(2, "0");
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

function percent(share) {
  return `${Math.round(100 * (share ?? 0))}\u00a0%`;
}
