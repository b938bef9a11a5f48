// Who speaks, on the tiles: the ring of everybody whose voice is heard, as wide as it is loud, and who has the floor.

/** From so many dB below full scale to so many a ring grows from thin to wide. */
const QUIETEST = -50;
const LOUDEST = -12;

/** The W3C `audioLevel`, 0 to 1, of a level in −dBov (RFC 6464). */
export const levelOf = (minusDBov) => 10 ** (-minusDBov / 20);

/** How wide a ring is, 0 to 1, for an `audioLevel`. */
const ringOf = (level) => Math.min(1, Math.max(0, (20 * Math.log10(level) - QUIETEST) / (LOUDEST - QUIETEST)));

/** The rings of one stage. `keyOf(participant)` is the key of a participant's tile. */
export class SpeakerRings {
  #stage;
  #keyOf;
  #told = new Map(); // key → level
  #dominant = null; // key

  constructor(stage, keyOf) {
    this.#stage = stage;
    this.#keyOf = keyOf;
  }

  /** Takes a `speakers` message. */
  take({ dominant, active }) {
    this.#told = new Map(active.map(({ participant, level }) => [this.#keyOf(participant), levelOf(level)]));
    this.#dominant = dominant ? this.#keyOf(dominant) : null;
  }

  /** Nothing that was told is true any more. */
  forget() {
    this.#told.clear();
  }

  /** Shows who speaks: what is measured here (key → 0 to 1) is newest, what the server tells is about everybody. */
  show(measured) {
    const levels = new Map(this.#told);
    for (const [key, level] of measured) levels.set(key, Math.max(level, levels.get(key) ?? 0));
    this.#stage.showLevels(levels, this.#told);
    for (const [key, level] of levels) {
      if (level > 0) this.#stage.find(key)?.element.style.setProperty('--level', ringOf(level).toFixed(2));
    }
    this.#stage.showDominant(this.#dominant);
  }
}
