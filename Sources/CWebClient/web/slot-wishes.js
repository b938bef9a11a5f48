// What a page asks of the server for its receive slots: whom they are held for, how large each picture is shown, and how much it matters.
// The server need not send more pixels than are shown.

/** Changed tile sizes are told to the server when they have been still for so long, in milliseconds. */
const SIZES_SETTLE = 300;
/** A page that nobody looks at is sent no pictures after so long, in milliseconds: looking away for a moment costs nothing. */
const HIDDEN_SETTLE = 3_000;
/** How much a shared screen matters when not everything fits the path, 0 to 255; cameras are left to the server. */
const SCREEN_PRIORITY = 192;

/** The wishes of one stay in a room. */
export class SlotWishes {
  #room;
  #stage;
  #isUsable;
  #timer = 0;
  #told = ''; // the last wishes, as JSON
  #held = new Set(); // the media sections held for whom was pinned

  /**
   * @param {Room} room
   * @param {Stage} stage whose tiles have sizes
   * @param {(participant: string) => boolean} isUsable whether there is anything to see in somebody's pictures
   */
  constructor(room, stage, isUsable) {
    this.#room = room;
    this.#stage = stage;
    this.#isUsable = isUsable;
  }

  /** A size is another, or a slot, or whether the page is looked at: the server is told soon. */
  changed() {
    clearTimeout(this.#timer);
    const isHidden = document.hidden;
    this.#timer = setTimeout(() => this.#tell(isHidden), isHidden ? HIDDEN_SETTLE : SIZES_SETTLE);
  }

  /** The server knows nothing of what it was told. */
  forget() { this.#told = ''; }

  /** Nothing is told any more. */
  stop() { clearTimeout(this.#timer); }

  #tell(isHidden) {
    const wishes = [];
    const pins = this.#pins();
    for (const slot of this.#room.slots.values()) {
      const pin = pins.get(slot.mid);
      // Sound has no height: a word is worth only what is held for somebody, or was.
      if (slot.kind === 'audio') {
        if (pin || this.#held.has(slot.mid)) wishes.push({ mid: slot.mid, ...(pin && { pin }) });
        continue;
      }
      const participant = pin ? this.#stage.pinned : slot.participant;
      if (!participant) continue;
      const key = !pin && slot.source === 'screen' ? `${participant}/screen` : participant;
      // What cannot be decrypted would only make its sender be asked for key frames again and again.
      const height = isHidden || !this.#isUsable(participant) ? 0 : this.#stage.find(key)?.height ?? 0;
      wishes.push({
        mid: slot.mid, wantedHeight: height, ...(pin && { pin }),
        ...(slot.source === 'screen' && { priority: SCREEN_PRIORITY }),
      });
    }
    const told = JSON.stringify(wishes);
    if (!wishes.length || told === this.#told) return;
    this.#told = told;
    this.#held = new Set(pins.keys());
    this.#room.setSlots(wishes).catch(() => { this.#told = ''; });
  }

  // The slots that are held for whom was pinned, whoever else speaks: media section → track.
  #pins() {
    const pins = new Map();
    const participant = this.#room.participants.get(this.#stage.pinned);
    for (const [source, kind] of [['camera', 'video'], ['microphone', 'audio']]) {
      const track = participant?.tracks.find((one) => one.source === source);
      const slots = [...this.#room.slots.values()].filter((one) => one.kind === kind);
      const slot = slots.find((one) => one.participant === participant?.id && one.source === source) ?? slots.at(-1);
      if (track && slot) pins.set(slot.mid, track.id);
    }
    return pins;
  }
}
