// Which encodings of one's own track are sent: what the server's `layers` messages ask for, set on the sender by
// `setParameters`. A layer that nobody is shown costs its sender uplink and processor for nothing.

/** After a failure parameters are set again after so many milliseconds; when the last fails too it is told. */
const RETRY_AFTER = [250, 1_000, 4_000];

/** The parameters of one RTCRtpSender, changed one call after another: two at once fail, each with the other's. */
export class SenderParameters {
  #sender;
  #failed;
  #active = new Map(); // rid → what the server asks for
  #turn = Promise.resolve();
  #waiting = false;
  #timer = 0;
  #wake = () => {};
  #stopped = false;

  /** @param {(error: Error) => void} failed told when a change was given up */
  constructor(sender, failed) {
    this.#sender = sender;
    this.#failed = failed;
  }

  /** Takes the encodings of a `layers` message; only the newest counts. Resolves when they are set or given up. */
  want(encodings) {
    this.#active = new Map(encodings.map(({ rid, active }) => [rid, active]));
    return this.#setSoon();
  }

  /** All encodings again, as at the beginning. */
  reset() {
    if (!this.#active.size) return this.#turn;
    for (const rid of this.#active.keys()) this.#active.set(rid, true);
    return this.#setSoon();
  }

  /** The sender is gone. */
  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#wake();
  }

  // At most one call is under way and one waits, which takes what is wanted when its turn comes.
  #setSoon() {
    if (this.#waiting) return this.#turn;
    this.#waiting = true;
    this.#turn = this.#turn.then(() => {
      this.#waiting = false;
      return this.#set();
    });
    return this.#turn;
  }

  async #set() {
    for (const delay of [...RETRY_AFTER, null]) {
      if (this.#stopped) return;
      try {
        await this.#apply();
        return;
      } catch (error) {
        if (this.#stopped) return;
        if (delay === null || this.#waiting) {
          // What is newer has its own try.
          if (!this.#waiting) this.#failed(error);
          return;
        }
        await new Promise((resolve) => {
          this.#wake = resolve;
          this.#timer = setTimeout(resolve, delay);
        });
      }
    }
  }

  // What `getParameters` gives is good for one `setParameters` in the same task (W3C WebRTC §5.2).
  async #apply() {
    const parameters = this.#sender.getParameters();
    let changes = false;
    // Firefox before 110 names no encodings it was not given, and a browser may have dropped some: only those count that
    // are there.
    for (const encoding of parameters.encodings ?? []) {
      const active = this.#active.get(encoding.rid);
      if (active === undefined || (encoding.active ?? true) === active) continue;
      encoding.active = active;
      changes = true;
    }
    if (changes) await this.#sender.setParameters(parameters);
  }
}
