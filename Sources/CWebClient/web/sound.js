// What is heard in a call: one audio element for each track. Where the call moves from one connection to another, the old sound goes
// only when the new one is there.

import { element } from './dom.js';

/** Both are heard for so long, in milliseconds; and the old one for this long at most. */
const OVERLAP = 200;
const GREATEST_OVERLAP = 1_500;

/** The sound of one call, in a place of the page. */
export class Sound {
  #place;
  #blocked;
  #speaker = '';
  #elements = new Map(); // track → audio element
  #leaving = new Map(); // track → timer
  #fading = new Set(); // tracks that leave in a moment
  #fresh = new Set(); // elements that do not play yet

  /** @param {() => void} blocked told when the browser wants the page to be touched first */
  constructor(place, blocked) {
    this.#place = place;
    this.#blocked = blocked;
  }

  /** Plays these tracks, and soon no others. */
  play(tracks) {
    for (const track of tracks) {
      clearTimeout(this.#leaving.get(track));
      this.#leaving.delete(track);
      this.#fading.delete(track);
      if (!this.#elements.has(track)) this.#add(track);
    }
    for (const track of this.#elements.keys()) {
      if (!tracks.includes(track) && !this.#leaving.has(track)) {
        this.#leaving.set(track, setTimeout(() => this.#remove(track), GREATEST_OVERLAP));
      }
    }
    this.#settle();
  }

  /** The person touched the page. */
  playAll() { for (const audio of this.#elements.values()) this.#begin(audio); }

  /** Another loudspeaker. */
  setSpeaker(deviceId) {
    this.#speaker = deviceId;
    for (const audio of this.#elements.values()) audio.setSinkId?.(deviceId).catch(() => {});
  }

  /** Silence. */
  stop() {
    for (const timer of this.#leaving.values()) clearTimeout(timer);
    this.#leaving.clear();
    for (const track of [...this.#elements.keys()]) this.#remove(track);
  }

  #add(track) {
    const audio = element('audio', { autoplay: true });
    this.#elements.set(track, audio);
    this.#fresh.add(audio);
    audio.onplaying = () => {
      this.#fresh.delete(audio);
      this.#settle();
    };
    if (this.#speaker) audio.setSinkId?.(this.#speaker).catch(() => {});
    audio.srcObject = new MediaStream([track]);
    this.#place.append(audio);
    this.#begin(audio);
  }

  async #begin(audio) {
    try {
      await audio.play();
    } catch (error) {
      if (error.name === 'NotAllowedError') this.#blocked();
    }
  }

  // Everything new plays: what leaves may go, a moment later.
  #settle() {
    if (this.#fresh.size && this.#elements.size > this.#leaving.size) return;
    for (const [track, timer] of this.#leaving) {
      if (this.#fading.has(track)) continue;
      this.#fading.add(track);
      clearTimeout(timer);
      this.#leaving.set(track, setTimeout(() => this.#remove(track), OVERLAP));
    }
  }

  #remove(track) {
    const audio = this.#elements.get(track);
    this.#elements.delete(track);
    this.#leaving.delete(track);
    this.#fading.delete(track);
    this.#fresh.delete(audio);
    audio.srcObject = null;
    audio.remove();
  }
}
