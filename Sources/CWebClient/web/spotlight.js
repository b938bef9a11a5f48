// Who is shown large on the stage: whoever was pinned, else whoever has had the floor for a moment; nobody while there are so few that all are
// large. It draws nothing.

/** With so many people on the stage somebody is shown large, until there are so few. */
const MANY = 5;
const FEW = 3;
/** Somebody is followed who has had the floor for so long, and not sooner behind the last change, in milliseconds. */
const SETTLE = 400;
const HOLD = 2_000;

export class Spotlight {
  #key = null; // who is shown large
  #changedAt = -Infinity;
  #next = null; // who has had the floor since `#nextSince`
  #nextSince = 0;
  #pinned = null;
  #isWanted = false;

  /** Who was pinned, or null. */
  get pinned() { return this.#pinned; }
  set pinned(key) { this.#pinned = key; }

  /**
   * Who is to be shown large now, or null.
   * @param {string|null} dominant whose the floor is
   * @param {string[]} others the keys of all tiles of people but the own, in their order
   * @param {number} people how many tiles of people there are
   * @param {number} now in milliseconds
   */
  follow(dominant, others, people, now) {
    this.#isWanted = people >= MANY || (this.#isWanted && people > FEW);
    if (this.#pinned !== null && !others.includes(this.#pinned)) this.#pinned = null;
    if (!this.#isWanted && this.#pinned === null) return this.#show(null, now);
    if (this.#pinned !== null) return this.#show(this.#pinned, now);
    // Whoever was large and is gone leaves the place to the first, so that the others need not move.
    if (this.#key !== null && !others.includes(this.#key)) this.#show(others[0] ?? null, now);
    // Nobody needs to see themselves large.
    if (!others.includes(dominant)) {
      this.#next = null;
      return this.#key;
    }
    if (dominant !== this.#next) [this.#next, this.#nextSince] = [dominant, now];
    const isSettled = now - this.#nextSince >= SETTLE && now - this.#changedAt >= HOLD;
    return this.#key === null || isSettled ? this.#show(dominant, now) : this.#key;
  }

  #show(key, now) {
    if (key !== this.#key) [this.#key, this.#changedAt] = [key, now];
    return key;
  }
}
