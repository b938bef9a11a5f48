// The direct connection of a one-to-one call: one RTCPeerConnection between two devices. The descriptions travel through the call; the
// media does not, but for a TURN server where no other way is open. Knows no ringing and no rooms.

import { keepCodecs } from './codecs.js';
import { PathWatch } from './path.js';
import { Sampler } from './statistics.js';

/** After an ICE restart the path has so long to come back, in milliseconds; then the next one, each time longer. */
const RESTART_PATIENCE = 2_500;
const GREATEST_RESTART_PATIENCE = 10_000;
/** The side that did not offer first leaves the other so long, in milliseconds, to begin a restart that both want. */
const POLITE_DELAY = 400;

const KINDS = { microphone: 'audio', camera: 'video' };

/**
 * One direct connection. Sound and picture have their media sections from the beginning, with or without tracks, so that a camera
 * that comes later needs no new description.
 *
 * Events (CustomEvent, what is named is in `detail`):
 * - `state` `{state}`: `new`, `connecting`, `connected`, `recovering` (looked for anew), `failed`, `closed`
 * - `track` `{kind, track}`: what the other side sends, silent and dark until something comes
 * - `peer` `{state}`: what the other device said about itself, see `tell`
 * - `statistics` `{statistics}`: each second, see statistics.js
 * - `error` `{error}`: something that was tried by itself failed
 */
export class DirectLink extends EventTarget {
  #session;
  #send;
  #isPolite;
  #pc;
  #channel;
  #told = {};
  #tracks;
  #transceivers = {};
  #isPaused = false;
  #turn = Promise.resolve();
  #ignores = false;
  #answerBy = 0; // when an answer is waited for no longer
  #offersAgain = null;
  #state = 'new';
  #restartTimer = 0;
  #isRestarting = false;
  #wasConnected = false;
  #path;
  #sampler;
  /** The other side's tracks by kind. */
  remote = { audio: null, video: null };
  /** For tests: descriptions sent, ICE restarts. */
  counts = { descriptions: 0, iceRestarts: 0 };

  /**
   * @param {Session} session for ICE servers and its codecs
   * @param {object} options
   * @param {(type: string, fields: object) => Promise} options.send passes `description` and `candidate` to the other device
   * @param {boolean} options.offers whether this side makes the first offer
   * @param {boolean} options.relayOnly whether media may go through a TURN server only
   * @param {{microphone: ?MediaStreamTrack, camera: ?MediaStreamTrack}} options.tracks
   */
  constructor(session, { send, offers, relayOnly, tracks }) {
    super();
    this.#session = session;
    this.#send = send;
    this.#isPolite = !offers;
    this.#tracks = { ...tracks };
    const pc = new RTCPeerConnection({
      iceServers: session.iceServers, iceTransportPolicy: relayOnly ? 'relay' : 'all', bundlePolicy: 'max-bundle',
    });
    this.#pc = pc;
    this.#channel = pc.createDataChannel('majlis', { negotiated: true, id: 0 });
    this.#channel.onopen = () => this.#pass();
    this.#channel.onmessage = ({ data }) => this.#heard(data);
    pc.onicecandidate = ({ candidate }) => this.#found(candidate);
    pc.onconnectionstatechange = () => this.#connectionStateChanged();
    pc.ontrack = ({ track }) => {
      this.remote[track.kind] = track;
      this.#dispatch('track', { kind: track.kind, track });
    };
    this.#path = new PathWatch((reason) => this.restart(reason));
    this.#sampler = new Sampler((report) => this.#sampled(report), (statistics) => this.#dispatch('statistics', { statistics }));
    this.#sampler.watch(pc);
    if (offers) for (const source of Object.keys(KINDS)) this.#addTransceiver(source);
  }

  /** See the event. */
  get state() { return this.#state; }
  /** The RTCPeerConnection, for looking at. */
  get peerConnection() { return this.#pc; }
  /** The last second's figures, or null. */
  get statistics() { return this.#sampler.last; }
  /** How loud the own microphone is, 0 to 1. */
  get ownAudioLevel() { return this.#sampler.ownAudioLevel; }

  /** Offers; where an offer is under way, after its answer: an answer does not say which of two offers it is to. */
  offer(options = {}) {
    return this.#inOrder(async () => {
      const pc = this.#pc;
      if (pc.signalingState !== 'stable' && performance.now() < this.#answerBy) {
        this.#offersAgain = options;
        return;
      }
      this.#answerBy = this.#wasConnected ? performance.now() + RESTART_PATIENCE : Infinity;
      await pc.setLocalDescription(await pc.createOffer(options));
      this.#become('connecting', ['new']);
      await this.#tellDescription();
    });
  }

  /** Takes a description or a candidate of the other device; one after another, in the order in which they came. */
  receive(message) {
    return this.#inOrder(() => (message.description ? this.#takeDescription(message.description) : this.#takeCandidate(message)));
  }

  /** Sends another track, or none, as `microphone` or `camera`. */
  async replaceTrack(source, track) {
    this.#tracks[source] = track;
    await this.#sendTrack(source);
  }

  /** Sends nothing, as does the other side, or what there is again. The connection stays. */
  async pause(isPaused) {
    if (this.#isPaused === isPaused) return;
    this.#isPaused = isPaused;
    this.#path.expectSilence(isPaused);
    await Promise.all(Object.keys(KINDS).map((source) => this.#sendTrack(source)));
  }

  async #sendTrack(source) {
    if (this.#state === 'closed') return;
    await this.#transceivers[source]?.sender.replaceTrack(this.#isPaused ? null : this.#tracks[source]);
  }

  /**
   * Tells the other device something about this one: `{microphone, camera}` whether they are on, `{switched: true}` that media is
   * taken from the call's room, `{returned: true}` that it is not any more, `{relayed}` whether this side uses a relay. Arrives while this connection is there; only the newest of each counts.
   */
  tell(state) {
    if (Object.entries(state).every(([key, value]) => this.#told[key] === value)) return;
    Object.assign(this.#told, state);
    this.#pass();
  }

  /** Takes the session's ICE servers, and whether media may go through these only, before anything was described. */
  configure({ relayOnly }) {
    const pc = this.#pc;
    pc.setConfiguration({
      ...pc.getConfiguration(), iceServers: this.#session.iceServers, iceTransportPolicy: relayOnly ? 'relay' : 'all',
    });
  }

  /** From now on media goes through a TURN server only. */
  async relayOnly() {
    const pc = this.#pc;
    if (pc.getConfiguration().iceTransportPolicy === 'relay') return;
    pc.setConfiguration({ ...pc.getConfiguration(), iceTransportPolicy: 'relay' });
    await this.offer({ iceRestart: true });
  }

  /** Looks for a new path, with fresh TURN credentials, while media that still flows flows on. */
  async restart(reason = 'asked', patience = RESTART_PATIENCE) {
    // One that was never there is not looked for again: the call has other ways.
    if (this.#isRestarting || !this.#wasConnected || this.#state === 'closed') return;
    this.#isRestarting = true;
    clearTimeout(this.#restartTimer);
    this.counts.iceRestarts += 1;
    this.#become('recovering', ['connected', 'failed']);
    this.#session.networkSuspected();
    const pc = this.#pc;
    try {
      if (this.#isPolite) await new Promise((resolve) => { setTimeout(resolve, POLITE_DELAY); });
      await this.#session.request({ type: 'iceRestart' });
      if (this.#state !== 'closed') {
        pc.setConfiguration({ ...pc.getConfiguration(), iceServers: this.#session.iceServers });
        await this.offer({ iceRestart: true });
      }
    } catch (error) {
      this.#dispatch('error', { error });
    }
    this.#isRestarting = false;
    if (this.#state === 'closed') return;
    this.#restartTimer = setTimeout(() => {
      if (this.#state === 'closed') return;
      if (this.#path.isAlive && pc.connectionState === 'connected') this.#become('connected');
      else this.restart(reason, Math.min(patience * 2, GREATEST_RESTART_PATIENCE));
    }, patience);
  }

  /** Ends it. */
  close() {
    if (this.#state === 'closed') return;
    clearTimeout(this.#restartTimer);
    this.#path.stop();
    this.#sampler.stop();
    this.#become('closed');
    this.#pc.close();
  }

  // Descriptions, as in W3C WebRTC's "perfect negotiation": where both offer at once the polite side gives way.

  #inOrder(body) {
    const turn = this.#turn.then(() => (this.#state === 'closed' ? undefined : body()));
    this.#turn = turn.catch((error) => { if (this.#state !== 'closed') this.#dispatch('error', { error }); });
    return turn;
  }

  async #takeDescription(description) {
    const pc = this.#pc;
    this.#ignores = !this.#isPolite && description.type === 'offer' && pc.signalingState !== 'stable';
    if (this.#ignores) return;
    if (description.type === 'answer' && pc.signalingState !== 'have-local-offer') return; // To an offer taken back since.
    await pc.setRemoteDescription(description);
    if (description.type === 'answer' && this.#offersAgain) {
      const options = this.#offersAgain;
      this.#offersAgain = null;
      this.offer(options).catch(() => {});
    }
    if (description.type !== 'offer') return;
    for (const source of Object.keys(KINDS)) await this.#claimTransceiver(source);
    await pc.setLocalDescription();
    this.#become('connecting', ['new']);
    await this.#tellDescription();
  }

  async #takeCandidate({ candidate, mid, usernameFragment }) {
    try {
      await this.#pc.addIceCandidate({
        candidate, sdpMid: mid ?? this.#pc.getTransceivers()[0]?.mid ?? '0', ...(usernameFragment && { usernameFragment }),
      });
    } catch (error) {
      if (!this.#ignores) throw error;
    }
  }

  #tellDescription() {
    const { type, sdp } = this.#pc.localDescription;
    this.counts.descriptions += 1;
    return this.#send('description', { description: { type, sdp } });
  }

  #found(candidate) {
    if (this.#state === 'closed' || candidate?.candidate === '') return; // Firefox says the end twice; null is the end here.
    this.#send('candidate', candidate
      ? { candidate: candidate.candidate, mid: candidate.sdpMid, usernameFragment: candidate.usernameFragment }
      : { candidate: '' }).catch((error) => this.#dispatch('error', { error }));
  }

  // Sections.

  #addTransceiver(source) {
    const kind = KINDS[source];
    const transceiver = this.#pc.addTransceiver(this.#tracks[source] ?? kind, { direction: 'sendrecv' });
    this.#transceivers[source] = transceiver;
    const names = kind === 'audio' ? ['opus', 'red'] : [...this.#session.codecs.filter((name) => name.toLowerCase() !== 'opus'), 'rtx'];
    try {
      keepCodecs(transceiver, kind, names);
    } catch (error) {
      this.#dispatch('error', { error }); // The other side chooses from the longer list.
    }
  }

  // The section that the other side made for this kind is used for what this side sends.
  async #claimTransceiver(source) {
    if (this.#transceivers[source]) return;
    const transceiver = this.#pc.getTransceivers().find(({ receiver }) => receiver.track.kind === KINDS[source]);
    if (!transceiver) return;
    this.#transceivers[source] = transceiver;
    transceiver.direction = 'sendrecv';
    await this.#sendTrack(source);
  }

  // The connection.

  #connectionStateChanged() {
    const { connectionState } = this.#pc;
    if (connectionState === 'connected') {
      this.#wasConnected = true;
      this.#become('connected');
    } else if (connectionState === 'disconnected') {
      this.restart(connectionState);
    } else if (connectionState === 'failed') {
      this.#become('failed');
      this.restart(connectionState);
    }
  }

  #sampled(report) {
    this.#path.sampled(report);
    const isBack = this.#state === 'recovering' && !this.#isRestarting && this.#path.isAlive;
    if (isBack && this.#pc.connectionState === 'connected') this.#become('connected');
  }

  #pass() {
    if (this.#channel.readyState === 'open') this.#channel.send(JSON.stringify(this.#told));
  }

  #heard(text) {
    let state;
    try {
      state = JSON.parse(text);
    } catch {
      return;
    }
    if (state && typeof state === 'object') this.#dispatch('peer', { state });
  }

  #become(state, from = null) {
    if (this.#state === state || this.#state === 'closed' || (from && !from.includes(this.#state))) return;
    this.#state = state;
    this.#dispatch('state', { state });
  }

  #dispatch(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}
