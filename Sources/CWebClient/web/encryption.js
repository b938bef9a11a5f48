// End-to-end encryption of frames, as a DEMONSTRATION: who has the room's passphrase sees and hears, the server
// forwards what it cannot read. No forward secrecy, no proof of who is who: docs/encryption.md. The work is done in
// encryption-worker.js; this is the room's side of it.

/** The video codecs whose frames can be encrypted: the packets of others follow the structure inside the frame. */
export const ENCRYPTABLE_CODECS = ['vp8', 'vp9'];

/**
 * So many complete frames of somebody, or so many samples of sound given to the decoder, in so many milliseconds, and
 * nothing came out of it: they must be encrypted.
 */
const SUSPICIOUS_FRAMES = 20;
const SUSPICIOUS_SAMPLES = 24_000;
const SUSPICIOUS_TIME = 4_000;

/** The frame encryption of one stay in a room; without a passphrase, what can be found out about that of the others. */
export class Encryption {
  #worker = null;
  #receivers = [];
  #states = new Map(); // number → state
  #looks = new Map(); // mid → {number, since, stats}, without a passphrase
  #changed;

  /** Whether this browser can do it here: WebCrypto is there on secure addresses only. */
  static get isSupported() { return typeof RTCRtpScriptTransform === 'function' && Boolean(globalThis.crypto?.subtle); }

  /** What a session does not support of this: a sentence, or null. */
  static obstacle(codecs) {
    if (!Encryption.isSupported) return 'This browser cannot encrypt frames here.';
    return codecs.some((name) => ENCRYPTABLE_CODECS.includes(name.toLowerCase()))
      ? null : 'None of the codecs of this server can be encrypted.';
  }

  /**
   * @param {object} options
   * @param {string|null} options.passphrase null: nothing is encrypted and nothing decrypted
   * @param {string} options.room the room's name, a part of every key
   * @param {() => void} options.changed told when what `stateOf` answers is another
   */
  constructor({ passphrase, room, changed }) {
    this.#changed = changed;
    /** Whether what is sent is encrypted, and only what is encrypted is received. */
    this.isOn = Boolean(passphrase);
    if (!this.isOn) return;
    this.#worker = new Worker(new URL('encryption-worker.js', import.meta.url), { type: 'module' });
    this.#worker.onmessage = ({ data }) => {
      if (data.type !== 'state') return;
      this.#states.set(data.number, data.state);
      this.#changed();
    };
    this.#worker.postMessage({ type: 'key', passphrase, room });
  }

  /** From now on this sender sends encrypted frames only. `mimeType` is for browsers that do not name it themselves. */
  encrypt(sender, mimeType) {
    if (this.isOn) sender.transform = new RTCRtpScriptTransform(this.#worker, { side: 'send', mimeType });
  }

  /** From now on the frames of this receiver are decrypted, and dropped where that fails. */
  decrypt(receiver) {
    if (!this.isOn) return;
    const index = this.#receivers.push(receiver) - 1;
    receiver.transform = new RTCRtpScriptTransform(this.#worker, { side: 'receive', receiver: index });
  }

  /** Who is there: keys are made from a participant's number and user. */
  know(self, others) {
    const plain = ({ number, user }) => ({ number, user });
    const list = [...others].map(plain);
    const numbers = new Set(list.map(({ number }) => number));
    for (const number of [...this.#states.keys()]) if (!numbers.has(number)) this.#states.delete(number);
    this.#worker?.postMessage({ type: 'participants', self: plain(self), others: list });
  }

  /** What slots show, for browsers that do not tell a frame's contributing sources. */
  show(slots) {
    for (const { receiver, number } of slots) {
      const index = this.#receivers.indexOf(receiver);
      if (index >= 0) this.#worker.postMessage({ type: 'slot', receiver: index, number });
    }
  }

  /** Begins with new receivers, those of a new peer connection. */
  forgetReceivers() {
    this.#receivers = [];
    this.#states.clear();
    this.#looks.clear();
  }

  /**
   * Takes one RTCStatsReport and what the slots show. A page without a passphrase finds out by it that it should have
   * one: encrypted frames are made so that every decoder refuses them. (Looking at the frames themselves would need a
   * transform from the beginning, in every room.)
   */
  sampled(report, slots) {
    if (this.isOn) return;
    const now = performance.now();
    for (const stats of report.values()) {
      if (stats.type !== 'inbound-rtp') continue;
      const number = slots.get(stats.mid)?.number ?? null;
      const look = this.#looks.get(stats.mid);
      if (!look || look.number !== number || Encryption.#used(stats) !== Encryption.#used(look.stats)) {
        this.#looks.set(stats.mid, { number, since: now, stats });
      } else if (number !== null && now - look.since >= SUSPICIOUS_TIME && Encryption.#isUnusable(stats, look.stats)
        && !this.#states.has(number)) {
        this.#states.set(number, 'undecryptable');
        this.#changed();
      }
    }
  }

  /** How much came out of the decoder: frames, or samples (silence is decoded as well). */
  static #used(stats) {
    return stats.kind === 'video'
      ? stats.framesDecoded ?? 0 : (stats.totalSamplesReceived ?? 0) - (stats.concealedSamples ?? 0);
  }

  /**
   * Whether so much went into the decoder since `before` that something should have come out. (Where a page is not
   * allowed to play sound yet, none goes in.)
   */
  static #isUnusable(stats, before) {
    const since = (name) => (stats[name] ?? 0) - (before[name] ?? 0);
    return stats.kind === 'video'
      ? since('framesReceived') >= SUSPICIOUS_FRAMES : since('jitterBufferEmittedCount') >= SUSPICIOUS_SAMPLES;
  }

  /**
   * Of the participant with this number: `readable`, `undecryptable` (encrypted, with another key or none here),
   * `plain` (not encrypted although this room is, and not shown), or undefined before its first frames.
   */
  stateOf(number) { return this.#states.get(number); }

  /** Ends the worker. */
  stop() { this.#worker?.terminate(); }
}
