// The sound of a room: one audio element for each audio slot, for the whole stay, whoever is on it.

import { element } from './dom.js';

/** The sound of one room, in a place of the page. */
export class SlotSound {
  #place;
  #blocked;
  #speaker = '';
  #elements = new Map(); // mid → audio element

  /** @param {() => void} blocked told when the browser wants the page to be touched first */
  constructor(place, blocked) {
    this.#place = place;
    this.#blocked = blocked;
  }

  /** Plays what comes on a slot. */
  play({ mid, mediaTrack }) {
    let audio = this.#elements.get(mid);
    if (!audio) {
      audio = element('audio', { autoplay: true });
      this.#elements.set(mid, audio);
      this.#place.append(audio);
      if (this.#speaker) audio.setSinkId?.(this.#speaker).catch(() => {});
    }
    if (audio.srcObject?.getTracks()[0] !== mediaTrack) {
      audio.srcObject = new MediaStream([mediaTrack]);
      this.#begin(audio);
    }
  }

  /** The person touched the page. */
  playAll() { for (const audio of this.#elements.values()) this.#begin(audio); }

  /** Another loudspeaker. */
  setSpeaker(deviceId) {
    this.#speaker = deviceId;
    for (const audio of this.#elements.values()) audio.setSinkId?.(deviceId).catch(() => {});
  }

  /** Silence. */
  stop() { this.#place.replaceChildren(); }

  async #begin(audio) {
    try {
      await audio.play();
    } catch (error) {
      if (error.name === 'NotAllowedError') this.#blocked();
    }
  }
}
