// The tiles of a room: one for each person, one for each shared screen, laid out so that they are as large as they can
// be. Of many people one is shown large (spotlight.js): that one's place among the others stays empty, so that nobody else moves.

import { byID, element, hueOf, icon, initials } from './dom.js';
import { Bars } from './quality.js';
import { Spotlight } from './spotlight.js';
import { strings } from './strings.js';

const GAP = 10;
/** A tile is never wider or taller than these shapes (width by height). */
const WIDEST = 16 / 9;
const TALLEST = 3 / 4;
const LEAST_HEIGHT = 116;
/** The same on a narrow screen: three in a row on a phone. */
const LEAST_HEIGHT_NARROW = 84;
const NARROW = 480;
/** Who is shown large has so much of the stage's height, and on a narrow one a flatter shape than the whole width would give. */
const LARGE_SHARE = 0.5;
const LARGE_SHARE_NARROW = 0.36;
/** Tiles this near to what is scrolled into view are shown soon: their pictures are asked for before. */
const SIGHT_MARGIN = '200px';
/** Louder than this is speaking; and it is shown for so long after, in milliseconds. */
const SPEAKING_LEVEL = 0.02;
const SPEAKING_HOLD = 350;

/** The stage of one room. */
export class Stage {
  #element = byID('stage');
  #tiles = new Map(); // key → Tile
  #observer = new ResizeObserver(() => this.layOut());
  #sight = new IntersectionObserver((entries) => this.#sightChanged(entries), {
    root: this.#element, rootMargin: SIGHT_MARGIN,
  });
  #sizesChanged;
  #alone;
  #spotlight = new Spotlight();
  #dominant = null; // key
  #large = null; // key
  #place = element('div.tile-place', { aria: { hidden: 'true' } });
  #hasAudience = false;

  /** @param {() => void} sizesChanged told when pictures are shown at other sizes than before */
  constructor(sizesChanged) {
    this.#sizesChanged = sizesChanged;
    this.#alone = element('p.alone', {}, element('strong', { textContent: strings.aloneHere }),
      element('span', { textContent: strings.shareLink }));
    this.#observer.observe(this.#element);
    this.#element.onkeydown = (event) => this.#keyPressed(event);
    this.#element.onfocusin = ({ target }) => { if (target.matches('.tile-pin')) this.#makeTabStop(target); };
  }

  /** The tile with this key, made if it is not there. */
  tile(key, { name, label = name, own = false, screen = false }) {
    let tile = this.#tiles.get(key);
    if (!tile) {
      tile = new Tile(key, { own, screen, pin: () => this.#pin(key) });
      this.#tiles.set(key, tile);
      // The own tile stays last, screens come first.
      const last = this.#tiles.get('self')?.element;
      if (screen) this.#element.prepend(tile.element);
      else if (last && tile.element !== last) last.before(tile.element);
      else this.#element.append(tile.element);
      this.#sight.observe(tile.element);
      if (!this.#element.querySelector('.tile-pin[tabindex="0"]')) this.#makeTabStop(tile.element.querySelector('.tile-pin'));
      this.#shine();
      this.layOut();
    }
    tile.setName(name, label);
    return tile;
  }

  find(key) { return this.#tiles.get(key); }

  remove(key) {
    const tile = this.#tiles.get(key);
    if (!tile) return;
    this.#tiles.delete(key);
    this.#sight.unobserve(tile.element);
    tile.remove();
    if (!this.#element.querySelector('.tile-pin[tabindex="0"]')) this.#makeTabStop(this.#element.querySelector('.tile-pin'));
    this.#shine();
    this.layOut();
  }

  /** Removes every tile whose key is not among these. */
  keepOnly(keys) {
    for (const key of [...this.#tiles.keys()]) if (!keys.has(key)) this.remove(key);
  }

  clear() {
    this.keepOnly(new Set());
    this.#observer.disconnect();
    this.#sight.disconnect();
    this.#element.replaceChildren();
  }

  #sightChanged(entries) {
    for (const { target, isIntersecting } of entries) {
      const tile = this.#tiles.get(target.dataset.key);
      if (tile?.element === target) tile.isInSight = isIntersecting;
    }
    this.#sizesChanged();
  }

  layOut() {
    const tiles = [...this.#tiles.values()];
    const screens = tiles.filter((tile) => tile.isScreen).length;
    const people = tiles.length - screens;
    this.#element.dataset.screens = String(screens);
    const isAlone = people === 1 && screens === 0 && this.#tiles.has('self') && !this.#hasAudience;
    if (isAlone) this.#element.append(this.#alone);
    else this.#alone.remove();
    this.#element.classList.toggle('is-alone', this.#alone.isConnected);
    const { clientWidth, clientHeight } = this.#element;
    const style = this.#element.style;
    let height = clientHeight;
    if (this.#large !== null) {
      const large = largeSize(clientWidth, clientHeight);
      height -= large.height + GAP;
      style.setProperty('--large-width', `${large.width}px`);
      style.setProperty('--large-height', `${large.height}px`);
    }
    const size = screens ? null : fit(clientWidth, height, people);
    style.setProperty('--tile-width', size ? `${size.width}px` : 'auto');
    style.setProperty('--tile-height', size ? `${size.height}px` : 'auto');
    this.#sizesChanged();
  }

  /** Marks the tile of whoever has the floor, and no other. */
  showDominant(key) {
    for (const [other, tile] of this.#tiles) tile.dominant = other === key;
    this.#dominant = key;
    if (this.#shine()) this.layOut();
  }

  /** Whose tile is shown large because it was pinned: the key of a participant's tile, or null. */
  get pinned() { return this.#spotlight.pinned; }

  #pin(key) {
    this.#spotlight.pinned = this.#spotlight.pinned === key ? null : key;
    this.#shine();
    this.layOut();
  }

  // Shows whoever it is to be large; whether that is another one than before.
  #shine() {
    const tiles = [...this.#tiles.entries()].filter(([, tile]) => !tile.isScreen);
    const others = tiles.filter(([key]) => key !== 'self').map(([key]) => key);
    const hasScreens = tiles.length < this.#tiles.size;
    const wanted = this.#spotlight.follow(this.#dominant, others, tiles.length, performance.now());
    for (const [key, tile] of tiles) tile.pinned = key === this.#spotlight.pinned;
    const large = hasScreens ? null : wanted;
    if (large === this.#large) return false;
    const before = this.#tiles.get(this.#large);
    if (before) before.large = false;
    this.#large = large;
    this.#place.remove();
    const tile = this.#tiles.get(large);
    if (tile) {
      tile.large = true;
      tile.element.after(this.#place);
    }
    return true;
  }

  // The tiles are one stop of the Tab key; arrows go from one to the next.
  #makeTabStop(pin) {
    if (!pin) return;
    for (const other of this.#element.querySelectorAll('.tile-pin[tabindex="0"]')) other.tabIndex = -1;
    pin.tabIndex = 0;
  }

  #keyPressed(event) {
    const pins = [...this.#element.querySelectorAll('.tile-pin')];
    const at = pins.indexOf(event.target);
    const forward = getComputedStyle(this.#element).direction === 'rtl' ? -1 : 1;
    const step = { ArrowRight: forward, ArrowLeft: -forward, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (at < 0 || !step) return;
    event.preventDefault();
    pins[(at + step + pins.length) % pins.length].focus();
  }

  /** Whether somebody listens who has no tile. */
  set hasAudience(has) {
    if (this.#hasAudience === has) return;
    this.#hasAudience = has;
    this.layOut();
  }

  /** Shows who speaks: participant key → level from 0 to 1; those `told` to speak do at any level. */
  showLevels(levels, told) {
    const now = performance.now();
    for (const [key, tile] of this.#tiles) {
      if (!tile.isScreen) tile.showLevel(levels.get(key) ?? 0, now, told.has(key));
    }
  }
}

/** The largest size at which `count` tiles fit into a rectangle; where they would be too small, they scroll instead. */
export function fit(width, height, count) {
  let best = null;
  for (let columns = 1; columns <= Math.max(count, 1); columns += 1) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (width - GAP * (columns - 1)) / columns;
    const cellHeight = (height - GAP * (rows - 1)) / rows;
    const tileWidth = Math.min(cellWidth, cellHeight * WIDEST);
    const tileHeight = Math.min(cellHeight, tileWidth / TALLEST);
    // What counts is how large a 4:3 picture in it is.
    const score = Math.min(tileWidth, tileHeight * 4 / 3);
    if (!best || score > best.score + 0.5) best = { score, width: tileWidth, height: tileHeight };
  }
  const least = width < NARROW ? LEAST_HEIGHT_NARROW : LEAST_HEIGHT;
  if (best.height < least) {
    const columns = Math.max(1, Math.floor((width + GAP) / (least * 4 / 3 + GAP)));
    const tileWidth = (width - GAP * (columns - 1)) / columns;
    best = { width: tileWidth, height: tileWidth * 3 / 4 };
  }
  return { width: Math.floor(best.width), height: Math.floor(best.height) };
}

/** How large who is shown large is, on a stage of this size. */
function largeSize(width, height) {
  const share = width < NARROW ? LARGE_SHARE_NARROW : LARGE_SHARE;
  const tall = Math.floor(Math.min(height * share, width / WIDEST));
  return { width: Math.floor(Math.min(width, tall * WIDEST)), height: tall };
}

class Tile {
  #video = element('video', { autoplay: true, muted: true, playsInline: true });
  #avatar = element('span.avatar', { aria: { hidden: 'true' } });
  #label = element('span.tile-name', { dir: 'auto' });
  #badge = element('span.tile-muted', { hidden: true }, icon('microphone-off'),
    element('span.visually-hidden', { textContent: strings.mutedLabel }));
  #hand = element('span.tile-hand', { hidden: true }, icon('hand'),
    element('span.visually-hidden', { textContent: strings.handRaised }));
  #bars = new Bars();
  #note = element('p.tile-note', { hidden: true });
  #pin = null;
  #loudAt = -Infinity;
  #mediaTrack = null;
  /** Whether it is scrolled into view, or nearly. */
  isInSight = true;

  constructor(key, { own, screen, pin }) {
    this.isScreen = screen;
    this.element = element('article.tile', { data: { key, kind: screen ? 'screen' : 'camera' } },
      element('div.tile-empty', {}, this.#avatar, this.#note), this.#video,
      element('footer.tile-label', {}, this.#hand, this.#badge, this.#label, this.#bars.element));
    this.element.classList.toggle('own', own);
    if (own && !screen) this.#video.classList.add('mirrored');
    if (own || screen) return;
    this.#pin = element('button.tile-pin', { type: 'button', tabIndex: -1, onclick: pin }, icon('pin'));
    this.element.append(this.#pin);
  }

  get video() { return this.#video; }
  /** The height in device pixels at which the picture is shown, 0 where it is out of sight. */
  get height() { return !this.isInSight ? 0 : Math.round(this.#video.clientHeight * Math.min(devicePixelRatio, 2)); }

  /** The name of whom it shows, and how that is written on it. */
  setName(name, label) {
    if (this.#label.textContent === label) return;
    this.#label.textContent = label;
    this.#avatar.textContent = initials(name);
    this.element.style.setProperty('--hue', String(hueOf(name)));
    this.element.setAttribute('aria-label', label);
    this.#pin?.setAttribute('aria-label', strings.showLarge(label));
    if (this.#pin) this.#pin.title = strings.showLarge(label);
  }

  /** Says why there is no picture, or nothing for null; `why` says more, where the person looks for it. */
  setNote(sentence, why = '') {
    this.#note.hidden = !sentence;
    this.#note.textContent = sentence ?? '';
    this.#note.title = why;
  }

  /** How well it is received (the own one: the connection), 1 to 4 bars; 0 for unknown. */
  set bars(bars) { this.#bars.show(bars); }

  set large(isLarge) { this.element.classList.toggle('large', isLarge); }
  set pinned(isPinned) { this.#pin?.setAttribute('aria-pressed', String(isPinned)); }
  set muted(muted) { this.#badge.hidden = !muted; }
  set hand(raised) { this.#hand.hidden = !raised; }

  /** Shows a picture, or the initials when `showing` is false. */
  show(mediaTrack, showing) {
    if (mediaTrack !== this.#mediaTrack) {
      this.#mediaTrack = mediaTrack;
      this.#video.srcObject = mediaTrack ? new MediaStream([mediaTrack]) : null;
      // Muted video may always play; what can fail is a play() cut short by the next picture.
      if (mediaTrack) this.#video.play().catch(() => {});
    }
    this.element.classList.toggle('has-picture', Boolean(mediaTrack && showing));
  }

  set dominant(isDominant) {
    this.element.classList.toggle('dominant', isDominant);
    if (isDominant) this.element.setAttribute('aria-current', 'true');
    else this.element.removeAttribute('aria-current');
  }

  showLevel(level, now, isTold) {
    if (isTold || level > SPEAKING_LEVEL) this.#loudAt = now;
    this.element.classList.toggle('speaking', now - this.#loudAt < SPEAKING_HOLD);
  }

  remove() {
    this.#video.srcObject = null;
    this.element.remove();
  }
}
