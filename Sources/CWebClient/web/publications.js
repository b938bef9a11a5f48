// What a client sends into a room: the tracks by their sources, muted or not, each with its media section, its encodings and their
// parameters. Describes nothing and tells nobody: that is the room's.

import { addSender, keepCodecs, sendEncodings } from './codecs.js';
import { ENCRYPTABLE_CODECS } from './encryption.js';
import { SenderParameters } from './layers.js';

const KINDS = { microphone: 'audio', camera: 'video', screen: 'video', screenAudio: 'audio' };

/** What one stay in a room sends. */
export class Publications {
  #all = new Map(); // source → {source, track, muted, transceiver, parameters, active}
  #options;
  #encryption;
  #serverCodecs;
  #failed;
  #pc = null;
  #isPaused;

  /**
   * @param {object} options those of `Session.join`
   * @param {object} room
   * @param {Encryption} room.encryption
   * @param {() => string[]} room.serverCodecs the codecs of the server's rooms, the preferred first
   * @param {(error: Error) => void} room.failed told of what was tried by itself and failed
   */
  constructor(options, { encryption, serverCodecs, failed }) {
    this.#options = options;
    this.#encryption = encryption;
    this.#serverCodecs = serverCodecs;
    this.#failed = failed;
    this.#isPaused = Boolean(options.paused);
    for (const source of ['microphone', 'camera']) {
      this.#all.set(source, { source, track: options[source] ?? null, muted: Boolean(options.muted[source]), active: true });
    }
  }

  /** Whether nothing is sent, whatever is unmuted. */
  get isPaused() { return this.#isPaused; }

  /** All of them, those included that were taken back. */
  get all() { return [...this.#all.values()]; }
  /** The publication of a source, or undefined. */
  get(source) { return this.#all.get(source); }
  /** The publication in the media section `mid`, or undefined. */
  at(mid) { return this.all.find((one) => one.transceiver?.mid === mid); }

  /** As commands name them: `[{mid, source, muted}]`. */
  get list() {
    return this.all.filter(({ active, transceiver }) => active && transceiver?.mid)
      .map(({ source, muted, track, transceiver }) => ({ mid: transceiver.mid, source, muted: muted || !track }));
  }

  /** Begins anew on another connection: every section that is there is offered on it. */
  build(pc) {
    this.#pc = pc;
    for (const publication of this.#all.values()) {
      publication.parameters?.stop();
      publication.transceiver = null;
      if (publication.active) this.#offer(publication);
    }
  }

  /** Sends a track as `source`, in the section that this had or a new one. Still to be described. */
  async publish(source, track) {
    const known = this.#all.get(source);
    const publication = known ?? { source };
    Object.assign(publication, { track, muted: false, active: true });
    this.#all.set(source, publication);
    if (!known?.transceiver) {
      this.#offer(publication);
      return publication;
    }
    known.transceiver.direction = 'sendonly';
    known.parameters.reset();
    await known.transceiver.sender.replaceTrack(this.#sent(known));
    return publication;
  }

  /** Sends nothing as `source` any more; the section stays for the next time. Still to be described. */
  async unpublish(publication) {
    Object.assign(publication, { active: false, track: null });
    publication.transceiver.direction = 'inactive';
    await publication.transceiver.sender.replaceTrack(null);
  }

  /** What was published is not taken. */
  withdraw(publication) {
    publication.active = false;
    if (publication.transceiver) publication.transceiver.direction = 'inactive';
  }

  /** Sends another track, or none, as `source`, without a new description. */
  async replaceTrack(source, track) {
    const publication = this.#all.get(source);
    if (!publication) return;
    publication.track = track;
    this.#enable(publication);
    await publication.transceiver?.sender.replaceTrack(this.#sent(publication));
  }

  /** Mutes or unmutes here. */
  setMuted(publication, muted) {
    publication.muted = muted;
    this.#enable(publication);
  }

  /** Sends nothing, whatever is unmuted, or does again. A track that rests is left as it is: something else may use it meanwhile. */
  pause(isPaused) {
    this.#isPaused = isPaused;
    return Promise.all(this.all.map((publication) => {
      this.#enable(publication);
      return publication.transceiver?.sender.replaceTrack(this.#sent(publication));
    }));
  }

  /** The codecs for pictures: those asked for, else the server's; of these what can be encrypted where it is. */
  get videoCodecs() {
    const names = this.#options.videoCodecs ?? this.#serverCodecs().filter((name) => name.toLowerCase() !== 'opus');
    return this.#encryption.isOn ? names.filter((name) => ENCRYPTABLE_CODECS.includes(name.toLowerCase())) : names;
  }

  /** Leaves only these codecs for sound, or those for pictures, in what is offered in a section. */
  trimCodecs(transceiver, kind, audioCodecs) {
    try {
      keepCodecs(transceiver, kind, kind === 'audio' ? audioCodecs : [...this.videoCodecs, 'rtx']);
    } catch (error) {
      this.#failed(error); // The server chooses from the longer list.
    }
  }

  /** Sets no parameters any more. */
  stop() { for (const { parameters } of this.#all.values()) parameters?.stop(); }

  #sent({ track }) { return this.#isPaused ? null : track; }

  #enable({ track, muted }) { if (track && !this.#isPaused) track.enabled = !muted; }

  #offer(publication) {
    const { source, track } = publication;
    const kind = KINDS[source];
    const codec = kind === 'audio' ? 'opus' : this.videoCodecs[0];
    const { width, height } = track?.getSettings() ?? {};
    const { simulcast, ladder, redundantAudio } = this.#options;
    const encodings = sendEncodings(source, { simulcast, ladder, codec, height: Math.min(width ?? height, height) });
    this.#enable(publication);
    if (track && source === 'screen') track.contentHint = 'detail';
    const transceiver = addSender(this.#pc, this.#sent(publication) ?? kind, encodings);
    publication.transceiver = transceiver;
    publication.parameters = new SenderParameters(transceiver.sender, this.#failed);
    this.#encryption.encrypt(transceiver.sender, `${kind}/${codec}`);
    this.trimCodecs(transceiver, kind, redundantAudio && !this.#encryption.isOn ? ['red', 'opus'] : ['opus']);
  }
}
