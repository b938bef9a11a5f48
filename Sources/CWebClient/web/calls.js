// The one-to-one calls of a session (docs/protocol.md): who calls, who is called, what was missed, and that a call outlives its session.
// Knows no page.
//
//     const session = await connect({ url, token, callWaiting: true });
//     session.calls.addEventListener('incoming', ({ detail: { call } }) => ring(call));
//     const call = await session.calls.invite('grace', { media: 'video', microphone, camera });
//     call.addEventListener('media', () => { audio.srcObject = new MediaStream(call.sounds); });

import { OneToOneCall } from './one-to-one.js';

/** After a session began anew, a call that rang and is not told again within this time, in milliseconds, rings no longer. */
const TOLD_AGAIN = 2_000;
/** Missed calls in one message, and users in one question: the server's bounds. */
const SEEN_AT_ONCE = 256;
const ASKED_AT_ONCE = 64;

/**
 * The calls of one session: `session.calls`.
 *
 * Events (CustomEvent, what is named is in `detail`):
 * - `incoming` `{call}`: somebody calls; the call's `state` event tells when it rings no longer
 * - `call` `{call}`: a call of this device began, placed here or taken over
 * - `ended` `{call}`: a call is over, see `call.outcome`
 * - `missed` `{missed}`: calls that were not answered are others now
 */
export class Calls extends EventTarget {
  #session;
  #calls = new Map(); // id → call
  #inviting = new Set(); // without a name as yet
  #suppressed = new Set(); // ids of calls of people who are being called
  /** Calls that were not answered, the newest first: `[{call, from: {id, name}, media, placedMilliseconds}]`. */
  missed = [];

  constructor(session) {
    super();
    this.#session = session;
    session.addEventListener('message', ({ detail }) => this.#receive(detail));
    session.addEventListener('restarted', () => this.#reattach());
    session.addEventListener('closed', () => {
      for (const call of this.all) call.end({ reason: 'lost' });
    });
  }

  /** The calls that are not over. */
  get all() { return [...this.#calls.values(), ...this.#inviting]; }
  /** The call that this device is in or places, or null. */
  get current() { return this.all.find(({ state, isGuest }) => state !== 'incoming' && state !== 'ended' && !isGuest) ?? null; }

  /**
   * Calls somebody.
   * @param {string} to the user
   * @param {object} options
   * @param {'audio'|'video'} [options.media] what this side will send
   * @param {'direct'|'sfu'} [options.mode]
   * @param {boolean} [options.relayOnly] neither side learns an address of the other
   * @param {MediaStreamTrack} [options.microphone] may follow by `replaceTrack`, as `camera`
   * @param {OneToOneCall} [options.into] an accepted call of this device into whose room the person is invited
   * @param {object} [options.roomOptions] for `Session.join`, should the call move into a room
   * @returns {OneToOneCall} at once; `call.placed` is a promise of the server's answer
   */
  invite(to, { media = 'audio', mode = 'direct', relayOnly = false, microphone = null, camera = null, into = null, roomOptions } = {}) {
    const call = new OneToOneCall(this.#session, {
      id: null, direction: 'outgoing', state: 'inviting', user: { id: to, name: '' }, ownMedia: media, relayOnly,
      tracks: { microphone, camera }, roomOptions, host: into,
    });
    call.isGuest = Boolean(into);
    into?.guests.push(call);
    this.#inviting.add(call);
    this.#watch(call);
    call.placed = this.#session.request({
      type: 'call.invite', to, media, ...(mode !== 'direct' && { mode }), ...(relayOnly && { relayOnly }),
      ...(into && { into: into.id }),
    }).then((told) => {
      this.#inviting.delete(call);
      if (call.isOver) return this.#session.request({ type: 'call.cancel', call: told.call }).catch(() => {});
      this.#calls.set(told.call, call);
      return call.invited(told, into ? 'sfu' : mode);
    }, (error) => {
      this.#inviting.delete(call);
      call.end({ reason: 'refused', error });
      throw error;
    });
    call.placed.catch(() => {});
    this.#dispatch('call', { call });
    return call;
  }

  /** Which of these users have a connected device: a Set of their names. */
  async presence(users) {
    if (!users.length) return new Set();
    const { present } = await this.#session.request({ type: 'call.presence', users: users.slice(0, ASKED_AT_ONCE) });
    return new Set(present);
  }

  /** The person has seen missed calls, those of one user or all: no device is told of them again. */
  seen(user) {
    const isSeen = ({ from }) => user === undefined || from.id === user;
    const calls = this.missed.filter(isSeen).map(({ call }) => call);
    this.missed = this.missed.filter((one) => !isSeen(one));
    this.#dispatch('missed', { missed: this.missed });
    for (let at = 0; at < calls.length; at += SEEN_AT_ONCE) {
      this.#session.request({ type: 'call.seen', calls: calls.slice(at, at + SEEN_AT_ONCE) }).catch(() => {});
    }
  }

  /** The call whose room this session is in, beside `call`, or null: a session is in one room at a time. */
  inRoom(call) { return this.all.find((one) => one !== call && one.room) ?? null; }

  /** The commands that end every call, for a page that is going away. */
  get goodbyes() {
    return [...this.#calls.values()].filter(({ state, isOver }) => !isOver && state !== 'incoming')
      .map(({ id, state }) => ({ type: state === 'inviting' || state === 'ringing' ? 'call.cancel' : 'call.hangup', call: id }));
  }

  #receive(message) {
    const { type, call: id } = message;
    if (!type.startsWith('call.') || message.re !== undefined) return;
    if (type === 'call.incoming') return this.#incoming(message);
    if (type === 'call.missed') return this.#missedCall(message);
    const call = this.#calls.get(id) ?? this.#calls.get(message.replaces);
    if (type === 'call.ended' || type === 'call.endedElsewhere') this.#suppressed.delete(id);
    if (!call) return;
    switch (type) {
      case 'call.ringing': return call.rang();
      case 'call.accepted':
        if (message.replaces) {
          this.#calls.delete(message.replaces);
          this.#calls.set(id, call);
        }
        return call.accepted(message);
      case 'call.description':
      case 'call.candidate': return call.relayed(message);
      case 'call.connected': return call.connected();
      case 'call.quality': return call.peerReported(message);
      case 'call.upgraded': return call.upgraded(message);
      case 'call.returned': return call.returned(message);
      case 'call.held':
      case 'call.resumed': return call.held(message.by, type === 'call.held');
      case 'call.onHold': return call.othersOnHold(message.users);
      case 'call.endedElsewhere': return call.end({ reason: 'elsewhere', how: message.how });
      case 'call.ended': return call.ended({ reason: message.reason, by: message.by });
    }
  }

  #incoming({ call: id, from, media, mode, waiting, ringMilliseconds }) {
    const known = this.#calls.get(id);
    if (known) {
      clearTimeout(known.forgetTimer);
      return;
    }
    // Who calls somebody and is called by the same does not ring: the server makes one call of the two.
    const isCalled = this.all.some((one) => one.direction === 'outgoing' && one.user.id === from.id
      && (one.state === 'inviting' || one.state === 'ringing'));
    if (isCalled) {
      this.#suppressed.add(id);
      return;
    }
    const call = new OneToOneCall(this.#session, {
      id, direction: 'incoming', state: 'incoming', user: from, media, waiting, roomOptions: this.roomOptions,
    });
    call.mode = mode;
    call.ringsUntil = performance.now() + ringMilliseconds;
    this.#calls.set(id, call);
    this.#watch(call);
    this.#dispatch('incoming', { call });
    if (mode === 'direct' && !call.isOver) call.prepare();
  }

  #missedCall({ call, from, media, placedMilliseconds }) {
    if (this.missed.some((one) => one.call === call)) return;
    this.missed = [{ call, from, media, placedMilliseconds }, ...this.missed]
      .sort((a, b) => b.placedMilliseconds - a.placedMilliseconds);
    this.#dispatch('missed', { missed: this.missed });
  }

  #watch(call) {
    call.addEventListener('state', ({ detail }) => {
      if (detail.state !== 'ended') return;
      this.#inviting.delete(call);
      if (this.#calls.get(call.id) === call) this.#calls.delete(call.id);
      this.#dispatch('ended', { call });
    });
  }

  // The server has forgotten the session but not its calls.
  #reattach() {
    for (const call of this.#calls.values()) {
      if (call.state === 'incoming') {
        call.forgetTimer = setTimeout(() => {
          if (call.state === 'incoming') call.end({ reason: 'lost' });
        }, TOLD_AGAIN);
      } else if (call.token) {
        this.#takeOver(call);
      }
    }
  }

  async #takeOver(call) {
    const { id, token } = call;
    try {
      const told = await this.#session.request({ type: 'call.reattach', call: id, token });
      if (told.type === 'call.ended') return call.ended({ reason: told.reason, by: told.by });
      if (told.call !== id) {
        this.#calls.delete(id);
        this.#calls.set(told.call, call);
      }
      call.reattached(told);
    } catch (error) {
      if (error.code === 'resyncNeeded') return; // Begun anew once more; `restarted` comes again.
      call.ended({ reason: 'lost', error });
    }
  }

  #dispatch(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}
