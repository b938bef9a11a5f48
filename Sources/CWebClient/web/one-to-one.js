// One call between two people (docs/protocol.md "One-to-one calls"), as one of its devices takes part in it: from the first ring to the
// end, over a direct connection, and in a room of the server where that is not to be had or a third person comes. Draws nothing and
// asks for no device. Made by `Calls`.

import { CallHold } from './call-hold.js';
import { peopleOf, soundsOf } from './call-people.js';
import { CallReports } from './call-reports.js';
import { Arrival, CallRoom } from './call-room.js';
import { DirectLink } from './direct.js';

/** A direct connection that is not there after so long, in milliseconds, is given up for a room of the server. */
const DIRECT_PATIENCE = 7_000;
/** One that was lost is looked for so long, in milliseconds, before the same. */
const LOST_PATIENCE = 9_000;
/** After the move the connection left behind is closed after so long, in milliseconds, though the other side has not said that it can be. */
const LEFT_BEHIND = 12_000;

/**
 * One call. Its fields: `id`, `direction` (`outgoing` or `incoming`), `user` (`{id, name}`, the other side), `media` (what it sends:
 * `audio` or `video`; null while unknown), `ownMedia`, `relayOnly`, `waiting` (it came while the user was in another), `startedAt` (by
 * `Date.now()`, when both had media), `outcome` (`{reason, by}` or `{reason: 'elsewhere', how}`), `peer` (`{microphone, camera}`,
 * whether they are on, and `relayed`, whether it uses a relay, as far as told), `quality` and `peerQuality` (`{rttMilliseconds, lossPercent, jitterMilliseconds, mos}`), `path`
 * (`{kind: 'direct'|'relayed'|'sfu', local, remote, protocol}`), `timing` (of `performance.now()`: `placed`, `rang`, `accepted`,
 * `connected`, `switched`), `holds` and `isHeld` (whether this side, and whether the other, has it on hold), `onHold`
 * (the users who have another call of its room on hold).
 *
 * Events (CustomEvent, what is named is in `detail`):
 * - `state` `{state}`: `inviting`, `ringing`, `incoming`, `connecting`, `active`, `ended`
 * - `media`: `people` or `sounds` are others now
 * - `connection` `{state}`: `connecting`, `connected`, `recovering`
 * - `quality` `{quality, peerQuality, path}`: every second
 * - `hold` `{holds, isHeld, onHold}`: the call is on hold, or not any more, or somebody's in its room
 * - `moved` `{to}`: the media goes through `room` or `direct` now
 * - `error` `{error}`: something that was tried by itself failed
 */
export class OneToOneCall extends EventTarget {
  #session;
  #state;
  #token = null;
  #tracks;
  #muted = { microphone: false, camera: false };
  #link = null;
  #early = []; // what the other device said before this one was ready
  #reports;
  #stay; // in the room of the server
  #arrival = new Arrival();
  #hold;
  #usesRoom = false;
  #peerSwitched = false;
  #peerReturned = false;
  #isReturning = false;
  #timers = { direct: 0, lost: 0, leftBehind: 0 };
  #host; // the call into whose room this one is an invitation, or null
  #formerly = null; // the outcome of the call of two, while others stay in its room

  constructor(session, { id, direction, state, user, media, ownMedia, relayOnly, waiting, token, tracks, roomOptions, host }) {
    super();
    this.#session = session;
    this.#state = state;
    this.#token = token ?? null;
    this.#tracks = { microphone: null, camera: null, ...tracks };
    this.#host = host ?? null;
    const dispatch = (type, detail) => this.#dispatch(type, detail);
    const ask = (word, fields) => this.#ask(word, fields);
    this.#reports = new CallReports(this, { ask, dispatch });
    this.#hold = new CallHold(this, { ask, dispatch, changed: () => this.#holdChanged() });
    this.#stay = new CallRoom(session, this, {
      join: { slots: 6, audioSlots: 4, ...roomOptions }, tracks: this.#tracks, arrival: this.#arrival, dispatch,
      arrived: () => this.#switchToRoom(), measured: (statistics) => this.#reports.measured(statistics),
      became: (state) => this.#tellConnection(state), isEmpty: () => { if (this.#formerly) this.hangUp(); },
    });
    /** Invitations of others into this call, placed by this device: calls whose media is this one's. */
    this.guests = [];
    Object.assign(this, {
      id, direction, user, media: media ?? null, ownMedia: ownMedia ?? 'audio', relayOnly: Boolean(relayOnly), waiting: Boolean(waiting),
      startedAt: null, outcome: null, peer: { microphone: true, camera: media === 'video' }, quality: null, peerQuality: null,
      path: null, timing: { placed: performance.now() },
    });
  }

  /** See the event. */
  get state() { return this.#state; }
  /** The secret for `call.reattach`, or null. */
  get token() { return this.#token; }
  /** The room that the media goes through or is about to, or null; see room.js. */
  get room() { return this.#stay.room; }
  /** The direct connection, or null; see direct.js. */
  get link() { return this.#link; }
  /** Whether the media goes through the room. */
  get usesRoom() { return this.#usesRoom; }
  /** Whether neither side sends or hears anything, or, in a room, this one does not. */
  get isOnHold() { return this.holds || (this.isHeld && !this.#usesRoom); }
  /** Whether it is over. */
  get isOver() { return this.#state === 'ended'; }

  /**
   * Who takes part beside oneself, and what of them is to be shown: `[{id, name, video, cameraOn, microphoneOn, isOnHold}]`, `video`
   * a MediaStreamTrack or null.
   */
  get people() { return peopleOf(this); }

  /** The name of somebody who takes part, or did; what they are called by where none was told. */
  nameOf(user) { return (user === this.user.id && this.user.name) || this.#stay.names.get(user) || user; }

  /** The tracks to be heard. */
  get sounds() { return soundsOf(this); }

  // What the person does.

  /**
   * Takes a call that rings. Tracks that are not there yet may follow by `replaceTrack`.
   * @param {{media?: 'audio'|'video', relayOnly?: boolean, microphone?: MediaStreamTrack, camera?: MediaStreamTrack}} options
   */
  async accept({ media = 'audio', relayOnly = false, microphone = null, camera = null } = {}) {
    this.ownMedia = media;
    for (const [source, track] of Object.entries({ microphone, camera })) if (track) await this.replaceTrack(source, track);
    const accepted = await this.#ask('accept', { media, ...(relayOnly && { relayOnly }) });
    this.accepted(accepted);
  }

  /** Refuses a call that rings, on all devices. */
  decline() { return this.#stop('decline'); }
  /** Ends it: cancels what nobody has answered, declines what rings here. */
  hangUp() {
    const word = { inviting: 'cancel', ringing: 'cancel', incoming: 'decline' }[this.#state] ?? 'hangup';
    return this.#stop(word);
  }

  /** Moves the call into a room of the server; it plays on meanwhile. */
  async upgrade() {
    if (!this.isOver) await this.#ask('upgrade');
  }

  /** Sends another track (or none) as `microphone` or `camera`. */
  async replaceTrack(source, track) {
    this.#tracks[source] = track;
    if (track) track.enabled = !this.#muted[source];
    this.#tellPeer();
    await Promise.all([this.#link?.replaceTrack(source, track), this.room?.replaceTrack(source, track)]);
    await this.#stay.tellMuted(source);
  }

  /** Mutes or unmutes a source, and tells the other side. */
  async mute(source, muted) {
    this.#muted[source] = muted;
    if (this.#tracks[source]) this.#tracks[source].enabled = !muted;
    this.#tellPeer();
    await this.#stay.tellMuted(source);
  }

  /** Puts the call on hold, or takes that back. What the other side has asked for stays. */
  hold(holds = true) { return this.#hold.set(holds); }

  /** Whether a source is muted or not there. */
  isMuted(source) { return this.#muted[source] || !this.#tracks[source]; }

  async #stop(word) {
    if (this.isOver) return;
    for (const guest of this.guests) guest.hangUp().catch(() => {});
    if (this.#formerly) {
      this.end({ reason: 'hungUp', by: this.#side });
      return;
    }
    if (!this.id) {
      // What has no name yet is cancelled when it gets it.
      this.end({ reason: 'cancelled', by: 'caller' });
      return;
    }
    const told = this.#ask(word).catch((error) => {
      if (!['callEnded', 'unknownCall', 'overtaken'].includes(error.code)) this.#dispatch('error', { error });
    });
    this.end({ reason: { cancel: 'cancelled', decline: 'declined', hangup: 'hungUp' }[word], by: this.#side });
    await told;
  }

  get #side() { return this.direction === 'outgoing' ? 'caller' : 'callee'; }

  #ask(word, fields = {}) { return this.#session.request({ type: `call.${word}`, call: this.id, ...fields }); }

  // What is told: called by `Calls`.

  /** The call has its name: the offer goes out at once, for whoever accepts. */
  invited({ call, token }, mode) {
    this.id = call;
    this.#token = token;
    if (mode === 'direct') {
      this.#makeLink(true);
      this.#link.offer().catch(() => {});
    }
  }

  /** It rings here: making a connection takes a browser a while, so it is made before anybody accepts. Nothing is sent by it. */
  prepare() { this.#makeLink(false); }

  /** A device of the other side rings. */
  rang() {
    this.timing.rang = performance.now();
    if (this.#state === 'inviting') this.#become('ringing');
  }

  /** The call is accepted; the answer to `accept`, or the event for who called. */
  accepted(told) {
    if (this.isOver || this.#state === 'connecting' || this.#state === 'active') return;
    this.timing.accepted = performance.now();
    this.user = told.user;
    this.media = told.media;
    this.peer.camera = told.media === 'video';
    this.#token = told.token;
    this.#session.takeICEServers(told);
    const wasRelayOnly = this.relayOnly;
    this.relayOnly = told.relayOnly;
    if (told.replaces) {
      // Both called each other: this one answers on the other's call, and what it had offered is void.
      this.id = told.call;
      this.#dropLink();
    }
    this.#become('connecting');
    this.#hold.others(told.onHold);
    if (this.#host) {
      this.#ask('connected', { path: 'sfu' }).catch(() => {});
      return;
    }
    this.#reports.begin();
    if (told.room) {
      this.#dropLink();
      this.#enterRoom(told.room);
      return;
    }
    if (!this.#link) {
      this.#makeLink(told.offers);
      if (told.offers) this.#link.offer().catch(() => {});
    } else if (!told.offers) {
      this.#link.configure({ relayOnly: told.relayOnly });
    } else if (told.relayOnly && !wasRelayOnly) {
      this.#link.relayOnly().catch(() => {});
    }
    for (const message of this.#early.splice(0)) this.#link.receive(message).catch(() => {});
    this.#timers.direct = setTimeout(() => this.#directFails(), DIRECT_PATIENCE);
  }

  /** A description or a candidate of the other device. */
  relayed(message) {
    if (this.#link && this.#state !== 'incoming' && this.#state !== 'ringing' && this.#state !== 'inviting') {
      this.#link.receive(message).catch(() => {});
    } else if (!this.#usesRoom) {
      this.#early.push(message);
    }
  }

  /** A side has put the call on hold, or taken that back. */
  held(by, isHeld) { if (by !== this.#side) this.#hold.peer(isHeld); }

  /** Who has another call of its room on hold now. */
  othersOnHold(users) { this.#hold.others(users); }

  /** Leaves its room for another call's while it is on hold; it goes in again when it is taken up. */
  stepOut() { return this.#stay.stepOut(); }

  #holdChanged() {
    this.#reports.forget();
    this.#link?.pause(this.isOnHold).catch(() => {});
    this.#stay.holdChanged();
    for (const [source, track] of Object.entries(this.#tracks)) {
      // Another call may have the same devices meanwhile.
      if (track && !this.holds) track.enabled = !this.#muted[source];
      this.#stay.tellMuted(source);
    }
  }

  /** Both devices have media. */
  connected() {
    this.startedAt ??= Date.now();
    if (this.#state === 'connecting') this.#become('active');
  }

  /** The other device says how well it is served. */
  peerReported({ rttMilliseconds, lossPercent, jitterMilliseconds, mos }) {
    this.peerQuality = { rttMilliseconds, lossPercent, jitterMilliseconds, mos };
    this.#reports.dispatch();
  }

  /** The call has a room. Where it was about to leave it, it stays. */
  upgraded({ room }) {
    if (this.#host) return;
    if (this.#isReturning) {
      this.#isReturning = false;
      this.#arrival.stop();
      this.#dropLink();
    }
    this.#enterRoom(room);
  }

  /** The two are alone in their room: they go from device to device again. The room plays on until media has come that way. */
  returned({ offers }) {
    if (this.#host || this.isOver) return;
    clearTimeout(this.#timers.leftBehind);
    this.#arrival.stop();
    if (!this.#usesRoom) {
      // The way there had not been found yet, and the direct connection is there still.
      this.#leaveRoom();
      return;
    }
    this.#isReturning = true;
    if (this.#link && !this.#peerSwitched && this.#link.state === 'connected') {
      this.#switchToDirect();
      return;
    }
    this.#dropLink();
    this.#peerSwitched = false;
    this.#makeLink(offers);
    if (offers) this.#link.offer().catch(() => {});
    this.#timers.direct = setTimeout(() => this.#directFails(), DIRECT_PATIENCE);
    this.#arrival.look(() => this.#link?.state === 'connected' && this.#flowsDirectly, () => this.#switchToDirect());
  }

  /** A new session has taken the call over: how it stands. */
  reattached(told) {
    this.id = told.call;
    if (told.user) this.user = told.user;
    if (this.#state === 'inviting' && told.state === 'ringing') this.rang();
    if (told.state === 'active') this.connected();
    const isAccepted = told.state === 'connecting' || told.state === 'active';
    if (isAccepted && (this.#state === 'inviting' || this.#state === 'ringing')) this.accepted({ token: this.#token, ...told });
    else if (told.room && !this.#stay.name && !this.#host) this.#enterRoom(told.room);
    else if (told.mode === 'direct' && this.#usesRoom) this.returned(told);
    else if (isAccepted && !this.#usesRoom) this.#link?.restart('the session is new');
    this.#reports.tellAgain();
    this.#hold.reattached(told, this.#side, isAccepted);
  }

  /** The server says that it is over. Where others are in its room, this device stays with them. */
  ended(outcome) {
    const stays = this.#usesRoom && this.room && [...this.room.participants.values()].some(({ user }) => user !== this.user.id);
    if (!stays) return this.end(outcome);
    this.#formerly = outcome;
    this.#dispatch('media', {});
  }

  /** It is over. */
  end(outcome) {
    if (this.isOver) return;
    this.outcome = outcome;
    for (const timer of Object.values(this.#timers)) clearInterval(timer);
    this.#reports.stop();
    this.#dropLink();
    this.#arrival.stop();
    this.#stay.forget();
    this.#become('ended');
    this.room?.leave().catch(() => {});
  }

  // The direct connection.

  #makeLink(offers) {
    const { id } = this;
    const link = new DirectLink(this.#session, {
      offers, relayOnly: this.relayOnly, tracks: this.#tracks,
      send: (type, fields) => this.#session.request({ type: `call.${type}`, call: id, ...fields }),
    });
    this.#link = link;
    this.peer.relayed = false;
    const on = (type, react) => link.addEventListener(type, ({ detail }) => { if (link === this.#link) react(detail); });
    on('state', ({ state }) => this.#linkStateChanged(state));
    on('track', () => this.#dispatch('media', {}));
    on('peer', ({ state }) => this.#peerSays(state));
    on('statistics', ({ statistics }) => { if (!this.#usesRoom) this.#reports.measured(statistics); });
    // What was said to a call that is over, or goes on elsewhere, is no fault.
    on('error', ({ error }) => { if (!this.isOver && error.code !== 'callEnded') this.#dispatch('error', { error }); });
    link.pause(this.isOnHold).catch(() => {});
    this.#tellPeer();
  }

  #dropLink() {
    const link = this.#link;
    this.#link = null;
    link?.close();
  }

  #linkStateChanged(state) {
    if (state === 'connected') {
      clearTimeout(this.#timers.direct);
      clearTimeout(this.#timers.lost);
      this.timing.connected ??= performance.now();
      this.#reports.tellConnected();
    } else if (state === 'failed' && this.#state === 'connecting') {
      this.#directFails();
    } else if (state === 'recovering' || state === 'failed') {
      clearTimeout(this.#timers.lost);
      this.#timers.lost = setTimeout(() => this.#directFails(), LOST_PATIENCE);
    }
    if (!this.#usesRoom && state !== 'closed') this.#tellConnection(state);
  }

  #tellConnection(state) {
    const known = { connected: 'connected', recovering: 'recovering', failed: 'recovering' }[state] ?? 'connecting';
    this.#dispatch('connection', { state: known });
  }

  // There is no way from device to device, not even by TURN: through the server, then.
  #directFails() {
    if (this.isOver || (this.#stay.name && !this.#isReturning)) return;
    this.#ask('upgrade').catch((error) => this.#dispatch('error', { error }));
  }

  #peerSays({ microphone, camera, switched, returned, relayed }) {
    if (typeof relayed === 'boolean') this.peer.relayed = relayed;
    if (returned && !switched && this.room) {
      this.#peerReturned = true;
      if (!this.#usesRoom) {
        clearTimeout(this.#timers.leftBehind);
        this.#timers.leftBehind = setTimeout(() => this.#leaveRoom(), 1_500);
      }
    }
    if (switched) {
      this.#peerSwitched = true;
      this.#leaveLinkBehind();
    }
    if (typeof microphone === 'boolean') this.peer.microphone = microphone;
    if (typeof camera === 'boolean') this.peer.camera = camera;
    this.#dispatch('media', {});
  }

  #tellPeer() {
    this.#link?.tell({ microphone: !this.isMuted('microphone'), camera: !this.isMuted('camera') });
  }

  // The room.

  #enterRoom(name) {
    if (this.#stay.name || this.isOver) return;
    clearTimeout(this.#timers.direct);
    clearTimeout(this.#timers.lost);
    this.#stay.enter(name);
  }

  #switchToRoom() {
    this.#usesRoom = true;
    this.#link?.pause(this.isOnHold).catch(() => {});
    this.#reports.forget();
    this.timing.switched = performance.now();
    this.timing.connected ??= this.timing.switched;
    this.#reports.tellAgain();
    this.#tellConnection('connected');
    this.#dispatch('moved', { to: 'room' });
    this.#dispatch('media', {});
    this.#link?.tell({ switched: true, returned: false });
    this.#leaveLinkBehind();
    this.#timers.leftBehind = setTimeout(() => this.#dropLink(), LEFT_BEHIND);
  }

  // The direct connection plays on until both have what they need from the room.
  #leaveLinkBehind() {
    if (!this.#usesRoom || !this.#link) return;
    const { connectionState } = this.#link.peerConnection;
    if (!this.#peerSwitched && connectionState === 'connected') return;
    // The word that this side has switched is on its way, and what is heard fades out.
    clearTimeout(this.#timers.leftBehind);
    this.#timers.leftBehind = setTimeout(() => this.#dropLink(), 1_500);
  }

  // Whether sound has come directly, or the other side has none to send.
  get #flowsDirectly() {
    const receivers = this.#link.peerConnection.getReceivers().filter(({ track }) => track.kind === 'audio');
    return this.holds || this.isHeld || !this.peer.microphone || receivers.some((receiver) => receiver.getSynchronizationSources().length > 0);
  }

  #switchToDirect() {
    this.#usesRoom = false;
    this.#link.pause(this.isOnHold).catch(() => {});
    this.#isReturning = false;
    this.#reports.forget();
    clearTimeout(this.#timers.direct);
    this.timing.switched = performance.now();
    this.#reports.tellAgain();
    this.#tellConnection('connected');
    this.#dispatch('moved', { to: 'direct' });
    this.#dispatch('media', {});
    this.#link.tell({ switched: false, returned: true });
    this.#timers.leftBehind = setTimeout(() => this.#leaveRoom(), this.#peerReturned ? 1_500 : LEFT_BEHIND);
  }

  #leaveRoom() {
    this.#peerReturned = false;
    this.#stay.leave();
  }

  #become(state) {
    if (this.#state === state || this.isOver) return;
    this.#state = state;
    this.#dispatch('state', { state });
  }

  #dispatch(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}
