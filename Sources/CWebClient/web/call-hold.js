// Who has a one-to-one call on hold: this side, the other, and whoever else is in its room, as far as told. What is sent meanwhile is the
// connections' affair.

/** The hold of one call, which it makes; `holds`, `isHeld` and `onHold` of the call are set here. */
export class CallHold {
  #call;
  #ask;
  #dispatch;
  #changed;

  /**
   * @param {OneToOneCall} call
   * @param {{ask: (word: string) => Promise, dispatch: (type: string, detail: object) => void, changed: () => void}} way of the call's
   *   commands, of its events, and what it does when one of the two sides has put it on hold or taken that back
   */
  constructor(call, { ask, dispatch, changed }) {
    this.#call = call;
    this.#ask = ask;
    this.#dispatch = dispatch;
    this.#changed = changed;
    Object.assign(call, { holds: false, isHeld: false, onHold: [] });
  }

  /** This side puts the call on hold, or takes that back. */
  async set(holds) {
    const call = this.#call;
    if (call.holds === holds || call.isOver) return;
    this.#become({ holds });
    try {
      await this.#ask(holds ? 'hold' : 'resume');
    } catch (error) {
      if (error.code === 'resyncNeeded' || call.isOver) return; // Said again when the call was taken over.
      this.#become({ holds: !holds });
      throw error;
    }
  }

  /** The other side has. */
  peer(isHeld) {
    if (this.#call.isHeld !== isHeld) this.#become({ isHeld });
  }

  /** These users have another call of the room on hold. */
  others(users = []) {
    if (users.join() === this.#call.onHold.join()) return;
    this.#call.onHold = users;
    this.#tell();
  }

  /** A new session has taken the call over: what it was told, and what was not heard is said again. */
  reattached({ heldBy = [], onHold }, side, isAccepted) {
    this.others(onHold);
    this.peer(heldBy.some((one) => one !== side));
    const { holds } = this.#call;
    if (isAccepted && heldBy.includes(side) !== holds) {
      this.#ask(holds ? 'hold' : 'resume').catch((error) => this.#dispatch('error', { error }));
    }
  }

  #become(state) {
    Object.assign(this.#call, state);
    this.#changed();
    this.#tell();
  }

  #tell() {
    const { holds, isHeld, onHold } = this.#call;
    this.#dispatch('hold', { holds, isHeld, onHold });
    this.#dispatch('media', {});
  }
}
