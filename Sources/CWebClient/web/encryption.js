// End-to-end encryption of frames, as a DEMONSTRATION: who has the room's passphrase sees and hears, the server forwards
// what it cannot read. No forward secrecy, no proof of who is who: docs/encryption.md. The work is done in
// encryption-worker.js; this is the room's side of it.

/** The video codecs whose frames can be encrypted: the packets of others follow the structure inside the frame. */
export const ENCRYPTABLE_CODECS = ['vp8', 'vp9'];

/** So many complete frames of which none could be decoded make one look whether they are encrypted. */
const SUSPICIOUS_FRAMES = 8;

/** The frame encryption of one stay in a room. */
export class Encryption {
  #worker;
  #receivers = [];
  #states = new Map(); // number → state
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
   * @param {string|null} options.passphrase null: nothing is decrypted; encrypted frames are noticed and dropped
   * @param {string} options.room the room's name, a part of every key
   * @param {() => void} options.changed told when what `stateOf` answers is another
   */
  constructor({ passphrase, room, changed }) {
    this.#changed = changed;
    this.isOn = Boolean(passphrase);
    this.#worker = new Worker(new URL('encryption-worker.js', import.meta.url), { type: 'module' });
    this.#worker.onmessage = ({ data }) => {
      if (data.type !== 'state') return;
      this.#states.set(data.number, data.state);
      this.#changed();
    };
    if (this.isOn) this.#worker.postMessage({ type: 'key', passphrase, room });
  }

  /** From now on this sender sends encrypted frames only. `mimeType` is for browsers that do not name it themselves. */
  encrypt(sender, mimeType) {
    if (this.isOn) sender.transform = new RTCRtpScriptTransform(this.#worker, { side: 'send', mimeType });
  }

  /** From now on the frames of this receiver are decrypted, and dropped where that fails. */
  decrypt(receiver) {
    const index = this.#receivers.push(receiver) - 1;
    receiver.transform = new RTCRtpScriptTransform(this.#worker, { side: 'receive', receiver: index });
  }

  /** Who is there: keys are made from a participant's number and user. */
  know(self, others) {
    const plain = ({ number, user }) => ({ number, user });
    const list = [...others].map(plain);
    const numbers = new Set(list.map(({ number }) => number));
    for (const number of [...this.#states.keys()]) if (!numbers.has(number)) this.#states.delete(number);
    this.#worker.postMessage({ type: 'participants', self: plain(self), others: list });
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
  }

  /**
   * Of the participant with this number: `readable`, `undecryptable` (encrypted, with another key or none here),
   * `plain` (not encrypted although this room is, and not shown), or undefined before its first frames.
   */
  stateOf(number) { return this.#states.get(number); }

  /** Ends the worker. */
  stop() { this.#worker.terminate(); }
}

/** Whether an RTCStatsReport looks as if frames came that no decoder takes: to be found out with an `Encryption`. */
export function suspectsEncryption(report) {
  for (const stats of report.values()) {
    if (stats.type === 'inbound-rtp' && stats.kind === 'video' && stats.framesReceived >= SUSPICIOUS_FRAMES
      && !stats.framesDecoded) return true;
  }
  return false;
}
