// A room joined over one RTCPeerConnection: what is sent, the receive slots, who is there. The client always offers, the
// server always answers; who comes and goes changes slots, never the description. Draws nothing.

import { Encryption } from './encryption.js';
import { Life } from './life.js';
import { PathWatch } from './path.js';
import { Publications } from './publications.js';
import { Roster } from './roster.js';
import { SlotTable } from './slots.js';
import { Sampler } from './statistics.js';

/** After an ICE restart the path has so long to come back, in milliseconds; then the next one, each time longer.
 *  Browsers take two seconds to notice a new address, and another restart meanwhile would only delay it. */
const RESTART_PATIENCE = 2_000;
const GREATEST_RESTART_PATIENCE = 10_000;

/**
 * One room. Made by `Session.join`.
 *
 * Options of `join`: `microphone`, `camera` (MediaStreamTrack or null: the section is offered all the same, so that a
 * track can follow without a new description), `muted` (`{microphone, camera}`), `paused` (see `pause`), `slots` (video slots, default 8),
 * `audioSlots` (default 4), `simulcast` (default true), `relay` (media through TURN only), `name`,
 * `videoCodecs` (names, the preferred first; default: those of the server), `passphrase` (frames are encrypted between
 * those who have it, see encryption.js; default none), `waiting` (called with a function that gives up, each time one has to
 * wait in the lobby), `ladder` (the camera's layers: `'1080'`, the default: 1080, 540 and
 * 270 lines of a 1080p capture, all, a half and a quarter of any other; `'720'`: 720, 480 and 240; or encodings as
 * `sendEncodings` takes them, the lowest first), `redundantAudio` (each packet of sound carries the one before once more, RFC
 * 2198: twice the bytes, and of 10 % lost at random about 1 % is missed; default false).
 *
 * Events (CustomEvent, what is named is in `detail`):
 * - `participantJoined`, `participantUpdated` `{participant}`, `participantLeft` `{participant, reason}`
 * - `trackPublished`, `trackUnpublished`, `trackMuted` `{participant, track}`
 * - `slots` `{slots}`: those that show something else now, or whose picture is theirs only from now on (`showing`)
 * - `recording` `{recording}`: a recording began or ended, see the property
 * - `layers` `{source, mid, encodings: [{rid, active}]}`: the server says which layers of an own track anybody needs; they
 *   are set by this object
 * - `connection` `{state}`: `joining`, `connecting`, `connected`, `recovering`, `closed`
 * - `encryption`: `encryption.stateOf` answers something else about somebody
 * - `statistics` `{statistics}`: each second, see statistics.js; `quality` `{quality}`: the server's view
 * - `speakers` `{speakers: {dominant, active: [{participant, level}]}}`: who has the floor and who speaks, levels in −dBov
 * - `refused` `{source, mid, reason}`: a section that the server did not take
 * - `rejoined`: the server had forgotten the session; participants and slots are new
 * - `selfMuted` `{source, muted, by}`: an own track was muted by `by` (a participant or `operator`), or by oneself (no `by`)
 * - `settings` `{settings}`, `waiting` `{person, state}` (hosts), `message` `{from, to, number, text}`, `reaction` `{from, reaction}`,
 *   `unmuteRequested` `{source, by}`: the life of the room, see docs/protocol.md
 * - `left` `{reason}`: this participant is no longer in the room: `left`, `removed`, `banned`, `roomEnded`, or why it was lost
 * - `error` `{error}`: something that was tried by itself failed; nothing need be done
 */
export class Room extends EventTarget {
  #session;
  #options;
  #pc = null;
  #publications; // what is sent
  #negotiating = Promise.resolve();
  #localCandidates = []; // found before the server knew the participant
  #remoteCandidates = []; // told before the answer
  #joined = false;
  #restartTimer = 0;
  #restarting = false;
  #state = 'joining';
  #receivers = [];
  #encryption;
  #roster = new Roster((type, detail) => {
    if (type === 'left') return this.#end(detail.reason);
    if (type === 'selfMuted') return this.#selfMuted(detail);
    if (type !== 'trackMuted' && type !== 'recording') this.#encryption.know(this.self, this.participants.values());
    return this.#dispatch(type, detail);
  });
  #slotTable = new SlotTable((slots) => {
    this.#encryption.show(slots);
    this.#dispatch('slots', { slots });
  });
  #path;
  #sampler;
  #onMessage = (event) => this.#receive(event.detail);
  #onRestarted = () => (this.#letIn ? this.#letIn('again') : this.#rejoin());
  #letIn = null; // while waiting in the lobby: called with what becomes of it
  #onClosed = ({ detail }) => this.#end(detail.error.code);

  constructor(session, name, options) {
    super();
    this.#session = session;
    this.#options = {
      slots: 8, audioSlots: 4, simulcast: true, relay: false, muted: {}, videoCodecs: null, passphrase: null,
      ladder: '1080', redundantAudio: false, ...options,
    };
    this.name = name;
    /** What this participant asks of the room's life: hands, roles, messages, moderation; see life.js. */
    this.life = new Life(session, this.#roster);
    /** The number of the room's last change. */
    this.version = 0;
    /** What was negotiated so far, for tests: descriptions applied, offers sent, ICE restarts. */
    this.counts = { localDescriptions: 0, offers: 0, iceRestarts: 0, joins: 0 };
    /** Times of `performance.now()`: `joining`, `joined`, `connected`. */
    this.timing = {};
    this.#encryption = new Encryption({
      passphrase: this.#options.passphrase, room: name, changed: () => this.#dispatch('encryption', {}),
    });
    this.#publications = new Publications(this.#options, {
      encryption: this.#encryption, serverCodecs: () => session.codecs, failed: (error) => this.#dispatch('error', { error }),
    });
    this.#path = new PathWatch((reason) => this.#pathSuspected(reason));
    this.#path.expectSilence(this.#publications.isPaused);
    this.#sampler = new Sampler((report) => this.#sampled(report), (statistics) => {
      this.#dispatch('statistics', { statistics });
    });
    session.addEventListener('message', this.#onMessage);
    session.addEventListener('restarted', this.#onRestarted);
    session.addEventListener('closed', this.#onClosed);
  }

  /** This client's own participant, from the join on. */
  get self() { return this.#roster.self; }
  /** The others: participant id → `{id, number, user, name, tracks: [{id, mid, kind, source, muted}]}`. */
  get participants() { return this.#roster.participants; }
  /** `{payload}` while the room is being recorded: `headers` (for finding faults, nothing of what is said and shown) or
   *  `whole`; null otherwise. */
  get recording() { return this.#roster.recording; }
  /** `host`, `speaker` or `listener`. */
  get role() { return this.self?.role ?? 'speaker'; }
  /** `{locked, lobby, metadata?}`. */
  get settings() { return this.#roster.settings; }
  /** Who waits to come in, known to hosts alone: id → `{id, user, name}`. */
  get waiting() { return this.#roster.waiting; }
  /** The receive slots: mid → slot, see slots.js. */
  get slots() { return this.#slotTable.slots; }
  /** `joining`, `connecting`, `connected`, `recovering` or `closed`. */
  get state() { return this.#state; }
  /** The RTCPeerConnection, for looking at; what changes it goes through this object. */
  get peerConnection() { return this.#pc; }
  /** The frame encryption, on or off. See encryption.js. */
  get encryption() { return this.#encryption; }
  /** The last second's figures, or null. */
  get statistics() { return this.#sampler.last; }

  /** Joins; called by `Session.join`, and again by the room itself after the server forgot the session. */
  async join() {
    this.counts.joins += 1;
    this.timing.joining = performance.now();
    this.#build();
    const pc = this.#pc;
    await this.#describe(pc);
    const joined = await this.#askToEnter(pc);
    if (pc !== this.#pc) return;
    this.timing.joined = performance.now();
    this.version = joined.version;
    this.#roster.snapshot(joined);
    this.#encryption.know(this.self, this.participants.values());
    this.#slotTable.make(this.#receivers, joined.slots);
    await this.#applyAnswer(pc, joined.answer.sdp, joined.refused);
    this.#joined = true;
    // A listener's tracks are muted, whatever the offer said.
    for (const publication of this.#publications.all) {
      const told = this.self.tracks.find((track) => track.mid === publication.transceiver?.mid);
      if (told?.muted) this.#publications.setMuted(publication, true);
    }
    for (const candidate of this.#localCandidates.splice(0)) this.#sendCandidate(candidate);
    if (this.#publications.isPaused) this.#wishForPictures().catch((error) => this.#dispatch('error', { error }));
  }

  // Asks until the answer is the room itself: where there is a lobby, it is first that one has to wait.
  async #askToEnter(pc) {
    const { name, waiting } = this.#options;
    for (;;) {
      const joined = await this.#session.request({
        type: 'join', room: this.name, offer: { type: 'offer', sdp: pc.localDescription.sdp }, tracks: this.#publications.list,
        ...(name && { name }), ...(this.#encryption.isOn && { encrypted: true }),
      });
      if (joined.type !== 'lobby') return joined;
      waiting?.(() => this.leave().catch(() => {}));
      const end = await new Promise((resolve) => { this.#letIn = resolve; });
      this.#letIn = null;
      if (end !== 'admitted' && end !== 'again') {
        throw Object.assign(new Error(end), { code: end === 'ended' ? 'roomEnded' : end });
      }
    }
  }

  /** Leaves the room, or its lobby; the others are told at once. */
  async leave() {
    if (this.#state === 'closed') return;
    const left = this.#session.request({ type: 'leave' });
    this.#end('left');
    await left;
  }

  /** Ends the room on this side only. */
  close() { this.#end('closed'); }

  // What is sent.

  /** The track that is sent as `source`, or null. */
  track(source) { return this.#publications.get(source)?.track ?? null; }
  /** What the media section `mid` of this client sends, or undefined. */
  sourceOf(mid) {
    return this.#publications.at(mid)?.source;
  }
  /** Whether `source` is muted or not published at all. */
  isMuted(source) {
    const publication = this.#publications.get(source);
    return !publication?.active || publication.muted;
  }

  /**
   * Publishes a track that was not in the join, for instance a screen: one new offer.
   * @param {'screen'|'screenAudio'|'camera'|'microphone'} source
   * @param {MediaStreamTrack} track
   */
  async publish(source, track) {
    const publication = await this.#publications.publish(source, track);
    try {
      await this.#negotiate();
    } catch (error) {
      this.#publications.withdraw(publication);
      throw error;
    }
  }

  /** Takes a published source away again: one new offer. Its media section stays for the next time. */
  async unpublish(source) {
    const publication = this.#publications.get(source);
    if (!publication?.active) return;
    await this.#publications.unpublish(publication);
    await this.#negotiate();
  }

  /** Sends another track (or none) as `source`, without a new description: another device, or a device lost. */
  replaceTrack(source, track) { return this.#publications.replaceTrack(source, track); }

  /**
   * Sends nothing, whatever is unmuted, and asks for no pictures; or does both again. Nothing is described anew, and nobody is told: see
   * `mute`. A track that rests is left as it is, for something else may use it meanwhile.
   */
  async pause(isPaused) {
    if (this.#publications.isPaused === isPaused) return;
    this.#path.expectSilence(isPaused);
    await Promise.all([this.#publications.pause(isPaused), this.#wishForPictures()]);
  }

  // As large as there are, or none.
  #wishForPictures() {
    const wish = this.#publications.isPaused ? { wantedHeight: 0 } : {};
    return this.setSlots([...this.slots.values()].filter(({ kind }) => kind === 'video').map(({ mid }) => ({ mid, ...wish })));
  }

  /** Mutes or unmutes a source and tells the others. An unmute that crosses a host's mute is refused (`overtaken`). */
  async mute(source, muted) {
    const publication = this.#publications.get(source);
    if (!publication) return;
    this.#publications.setMuted(publication, muted);
    const mid = publication.transceiver?.mid;
    if (!mid || !this.#joined) return;
    try {
      await this.#session.request({ type: 'mute', mid, muted, ...(!muted && { version: this.version }) });
    } catch (error) {
      if (!muted) this.#publications.setMuted(publication, true);
      throw error;
    }
  }

  // What a host muted is silent here too: the browser says that the microphone rests.
  #selfMuted({ track, muted, by }) {
    const publication = this.#publications.at(track.mid);
    if (publication && muted && by !== undefined) this.#publications.setMuted(publication, true);
    this.#dispatch('selfMuted', { source: track.source, muted, by });
  }

  // What is received.

  /**
   * Says what a slot should show.
   * @param {string} mid
   * @param {{pin?: string|null, wantedHeight?: number, priority?: number}} wish a track id that shall be on it (null:
   *   whatever the server chooses), the height in pixels at which it is shown (0: not at all), and how much it matters
   *   when not everything fits the path (0 to 255, default 128)
   */
  setSlot(mid, wish) { return this.setSlots([{ mid, ...wish }]); }

  /** The same for several slots at once. */
  async setSlots(slots) {
    if (this.#joined && slots.length) await this.#session.request({ type: 'subscribe', slots });
  }

  /** The slot that shows this participant's source, or undefined. */
  slotOf(participant, source) {
    for (const slot of this.slots.values()) {
      if (slot.participant === participant && slot.source === source) return slot;
    }
    return undefined;
  }

  /**
   * How loud each participant is now: participant id → 0 to 1, of those on an audio slot.
   * @returns {Map<string, number>}
   */
  audioLevels() {
    return this.#slotTable.audioLevels((mid) => this.#sampler.audioLevel(mid));
  }

  /** How loud the own microphone is, 0 to 1, at most half a second old. */
  ownAudioLevel() { return this.isMuted('microphone') ? 0 : this.#sampler.ownAudioLevel; }

  /** Looks for a new path to the server, keeping participant, slots and media state. */
  restartICE(reason = 'asked') { return this.#restart(reason); }

  // The peer connection.

  #build() {
    this.#pc?.close();
    this.#joined = false;
    this.#restarting = false;
    clearTimeout(this.#restartTimer);
    this.#localCandidates = [];
    this.#remoteCandidates = [];
    const pc = new RTCPeerConnection({
      iceServers: this.#session.iceServers,
      iceTransportPolicy: this.#options.relay ? 'relay' : 'all',
      bundlePolicy: 'max-bundle',
    });
    this.#pc = pc;
    pc.onicecandidate = ({ candidate }) => this.#sendCandidate(candidate);
    pc.onconnectionstatechange = () => this.#connectionStateChanged(pc);
    this.#publications.build(pc);
    this.#receivers = [];
    this.#encryption.forgetReceivers();
    for (let i = 0; i < this.#options.audioSlots; i += 1) this.#addReceiver('audio');
    for (let i = 0; i < this.#options.slots; i += 1) this.#addReceiver('video');
    this.#sampler.watch(pc);
    this.#become('connecting');
  }

  #addReceiver(kind) {
    const transceiver = this.#pc.addTransceiver(kind, { direction: 'recvonly' });
    // Redundant audio costs a receiver nothing that it would not be sent.
    this.#publications.trimCodecs(transceiver, kind, this.#encryption.isOn ? ['opus'] : ['opus', 'red']);
    this.#receivers.push(transceiver);
    this.#encryption.decrypt(transceiver.receiver);
  }

  async #describe(pc, options = {}) {
    await pc.setLocalDescription(await pc.createOffer(options));
    this.counts.localDescriptions += 1;
  }

  async #applyAnswer(pc, sdp, refused = []) {
    await pc.setRemoteDescription({ type: 'answer', sdp });
    for (const candidate of this.#remoteCandidates.splice(0)) this.#addCandidate(candidate);
    for (const { mid, reason } of refused) {
      this.#dispatch('refused', { mid, reason, source: this.sourceOf(mid) });
    }
  }

  // Offers one after another, never two at once.
  #negotiate(options) {
    const turn = this.#negotiating.then(() => this.#offer(options));
    this.#negotiating = turn.catch(() => {});
    return turn;
  }

  async #offer(options) {
    const pc = this.#pc;
    if (this.#state === 'closed' || !this.#joined) return;
    await this.#describe(pc, options);
    this.counts.offers += 1;
    let answer;
    try {
      answer = await this.#session.request({
        type: 'offer', sdp: pc.localDescription.sdp, tracks: this.#publications.list,
      });
    } catch (error) {
      if (pc.signalingState === 'have-local-offer') await pc.setLocalDescription({ type: 'rollback' });
      throw error;
    }
    if (pc === this.#pc) await this.#applyAnswer(pc, answer.sdp, answer.refused);
  }

  #sendCandidate(candidate) {
    if (candidate?.candidate === '') return; // Firefox says the end twice; null is the end here.
    if (!this.#joined && this.#state !== 'closed') {
      this.#localCandidates.push(candidate);
      return;
    }
    const message = candidate
      ? { candidate: candidate.candidate, mid: candidate.sdpMid, usernameFragment: candidate.usernameFragment }
      : { candidate: '' };
    this.#session.request({ type: 'candidate', ...message }).catch(() => {});
  }

  #addCandidate({ candidate, mid, usernameFragment }) {
    this.#pc.addIceCandidate({
      candidate, sdpMid: mid ?? this.#pc.getTransceivers()[0]?.mid, ...(usernameFragment && { usernameFragment }),
    }).catch((error) => this.#dispatch('error', { error }));
  }

  // The path: found again without touching anything else.

  #connectionStateChanged(pc) {
    if (pc !== this.#pc) return;
    const state = pc.connectionState;
    if (state === 'connected') {
      this.timing.connected ??= performance.now();
      this.#become('connected');
    } else if (state === 'disconnected' || state === 'failed') {
      this.#become('recovering');
      this.#restart(state);
    }
  }

  #sampled(report) {
    this.#path.sampled(report);
    this.#encryption.sampled(report, this.slots);
    const isBack = this.#state === 'recovering' && !this.#restarting && this.#path.isAlive;
    if (isBack && this.#pc.connectionState === 'connected') this.#become('connected');
  }

  // Where the path is dead the socket is likely to be dead as well, and would be silent about it for minutes.
  #pathSuspected(reason) {
    if (!this.#joined) return;
    this.#session.networkChanged();
    this.#become('recovering');
    this.#restart(reason);
  }

  async #restart(reason, patience = RESTART_PATIENCE) {
    if (this.#restarting || this.#state === 'closed' || !this.#joined) return;
    this.#restarting = true;
    clearTimeout(this.#restartTimer);
    this.counts.iceRestarts += 1;
    this.#session.networkSuspected();
    const pc = this.#pc;
    try {
      // Fresh TURN credentials, and proof that the socket lives: where the answer to a restart comes late, Chromium has
      // by then tied its new port to the server's old credentials, and never lets go of them.
      await this.#session.request({ type: 'iceRestart' });
      if (pc === this.#pc) {
        pc.setConfiguration({ ...pc.getConfiguration(), iceServers: this.#session.iceServers });
        await this.#negotiate({ iceRestart: true });
      }
    } catch (error) {
      this.#dispatch('error', { error });
      // Only while it is still this path's room: a session begun anew has joined again by itself, on another one.
      if (error.code === 'notJoined' && pc === this.#pc) this.#rejoin();
    }
    if (pc !== this.#pc || this.#state === 'closed') return;
    this.#restarting = false;
    this.#restartTimer = setTimeout(() => {
      if (pc !== this.#pc || this.#state === 'closed') return;
      if (this.#path.isAlive && pc.connectionState === 'connected') {
        this.#become('connected');
      } else {
        this.#restart(reason, Math.min(patience * 2, GREATEST_RESTART_PATIENCE));
      }
    }, patience);
  }

  async #rejoin() {
    if (this.#state === 'closed') return;
    try {
      await this.join();
      this.#dispatch('rejoined', {});
    } catch (error) {
      if (error.code === 'resyncNeeded') return; // Begun anew once more; the next `restarted` comes here again.
      this.#dispatch('error', { error });
      this.#end(error.code ?? 'failed');
    }
  }

  // Messages.

  #receive(message) {
    if (message.version !== undefined && message.re === undefined) this.version = message.version;
    if (this.#roster.receive(message)) return;
    if (message.type === 'speakers') this.#dispatch('speakers', { speakers: this.speakers = message });
    if (message.type === 'quality') this.#dispatch('quality', { quality: this.quality = message });
    switch (message.type) {
      case 'slots':
        this.#slotTable.assign(message.slots);
        break;
      case 'layers':
        this.#layersWanted(message);
        break;
      case 'candidate':
        if (this.#pc?.remoteDescription && this.#joined) this.#addCandidate(message);
        else this.#remoteCandidates.push(message);
        break;
      case 'message':
      case 'reaction':
      case 'unmuteRequested':
        this.#dispatch(message.type, message);
        break;
      case 'lobby':
        if (message.re === undefined) this.#letIn?.(message.state);
        break;
      case 'roomEnded':
        this.#end({ kicked: 'removed', banned: 'banned' }[message.reason] ?? 'roomEnded');
        break;
      case 'iceRestart':
        if (message.re === undefined) this.#restart('the server asked');
        break;
    }
  }

  #layersWanted({ mid, encodings }) {
    const publication = this.#publications.at(mid);
    if (!publication?.active || !Array.isArray(encodings)) return;
    publication.parameters.want(encodings);
    this.#dispatch('layers', { source: publication.source, mid, encodings });
  }

  // The end.

  #end(reason) {
    if (this.#state === 'closed') return;
    this.#letIn?.(reason);
    this.#session.removeEventListener('message', this.#onMessage);
    this.#session.removeEventListener('restarted', this.#onRestarted);
    this.#session.removeEventListener('closed', this.#onClosed);
    this.#slotTable.stop();
    this.#publications.stop();
    clearTimeout(this.#restartTimer);
    this.#path.stop();
    this.#sampler.stop();
    this.#pc?.close();
    this.#encryption.stop();
    if (this.#session.room === this) this.#session.room = null;
    this.#become('closed');
    this.#dispatch('left', { reason });
  }

  #become(state) {
    if (this.#state === state || this.#state === 'closed') return;
    this.#state = state;
    this.#dispatch('connection', { state });
  }

  #dispatch(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}
