// The receive slots of one room: which media section shows whom, and from which packet on.

/** While a slot waits for its new participant's number it is looked at this often; and shown after so long, in
 *  milliseconds, in a browser that does not tell contributing sources. */
const RELABEL_INTERVAL = 50;
const RELABEL_PATIENCE = 1_500;

/** A table of slots; `changed(slots)` is told those that show something else, or that show it only from now on. */
export class SlotTable {
  #changed;
  #timer = 0;
  /** mid → `{mid, kind, participant, number, track, source, reason, mediaTrack, receiver, showing}`. */
  slots = new Map();

  constructor(changed) { this.#changed = changed; }

  /** Begins with these receivers (transceivers that have their mids) and what the server put on them. */
  make(transceivers, assignments) {
    this.slots = new Map();
    for (const { mid, receiver } of transceivers) {
      this.slots.set(mid, {
        mid, kind: receiver.track.kind, receiver, mediaTrack: receiver.track, participant: null, number: null,
        track: null, source: null, reason: 'nothing', showing: false, since: 0,
      });
    }
    this.assign(assignments);
  }

  /** Takes the slots of a message: those not named stay as they are. */
  assign(assignments) {
    const changed = [];
    for (const assignment of assignments ?? []) {
      const slot = this.slots.get(assignment.mid);
      if (!slot) continue;
      const another = slot.number !== assignment.number;
      Object.assign(slot, assignment);
      if (another) Object.assign(slot, { showing: false, since: performance.now() });
      changed.push(slot);
    }
    if (!changed.length) return;
    this.#changed(changed);
    if (!this.#timer) this.#timer = setInterval(() => this.#relabel(), RELABEL_INTERVAL);
  }

  /** How loud each participant is: id → 0 to 1; `sampled(mid)` is a level by other means, for where there is none. */
  audioLevels(sampled) {
    const levels = new Map();
    for (const slot of this.slots.values()) {
      if (slot.kind !== 'audio' || !slot.participant) continue;
      const known = slot.receiver.getContributingSources().find(({ source }) => source === slot.number)
        ?? slot.receiver.getSynchronizationSources()[0];
      const level = known?.audioLevel ?? sampled(slot.mid) ?? 0;
      levels.set(slot.participant, Math.max(levels.get(slot.participant) ?? 0, level));
    }
    return levels;
  }

  /** Looks no longer. */
  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  // The `slots` message and the media race. A packet carries its participant's number as CSRC: until it appears, what
  // the slot shows is still the last picture of somebody else.
  #relabel() {
    const shown = [];
    let waiting = false;
    for (const slot of this.slots.values()) {
      if (slot.showing || slot.number === null) continue;
      let newest = null;
      for (const source of slot.receiver.getContributingSources()) {
        if (!newest || source.timestamp > newest.timestamp) newest = source;
      }
      const untold = !newest && performance.now() - slot.since > RELABEL_PATIENCE;
      if (newest?.source === slot.number || untold) {
        slot.showing = true;
        shown.push(slot);
      } else {
        waiting = true;
      }
    }
    if (shown.length) this.#changed(shown);
    if (!waiting) this.stop();
  }
}
