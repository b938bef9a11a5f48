// The stay of a one-to-one call in its room of the server: going in, when media has arrived there, being on hold in it, and stepping out
// for another call's room. Which way the media goes is the call's decision.

/** While a call moves to the room or back it is looked this often, in milliseconds, whether media has arrived there; and what arrived
 *  flows for so long before it is taken: by then the jitter buffer has settled. */
const LOOK_EVERY = 60;
const SETTLE = 400;
/** A picture, and sound of somebody who is muted, is not waited for longer than this, in milliseconds. */
const PICTURE_PATIENCE = 4_000;

/** Looks for media that is to come another way, one way at a time. */
export class Arrival {
  #timer = 0;

  /** Looks until media has come and has settled, or need not be waited for because the old way is dead; then calls `then`. */
  look(hasArrived, then, isUrgent = () => false) {
    this.stop();
    let arrived = 0;
    this.#timer = setInterval(() => {
      if (!hasArrived()) return;
      arrived ||= performance.now();
      if (performance.now() - arrived < SETTLE && !isUrgent()) return;
      this.stop();
      then();
    }, LOOK_EVERY);
  }

  /** Looks no longer. */
  stop() { clearInterval(this.#timer); }
}

/** The stay of one call, which it makes. */
export class CallRoom {
  #session;
  #call;
  #options;
  #isOutside = false; // on hold, while another call has the one room that a session may be in
  #unlisten = null;
  /** The names of all who were in the room while this device was: user → name. */
  names = new Map();
  /** The name of the room that the call is in, or about to be in, or null. */
  name = null;
  /** The room while this device is in it, or null; see room.js. */
  room = null;

  /**
   * @param {Session} session
   * @param {OneToOneCall} call
   * @param {object} options
   * @param {object} options.join for `Session.join`
   * @param {{microphone: ?MediaStreamTrack, camera: ?MediaStreamTrack}} options.tracks what is sent, as it is now
   * @param {Arrival} options.arrival
   * @param {() => void} options.arrived media of the other side has come here
   * @param {(type: string, detail: object) => void} options.dispatch of the call's events
   * @param {(statistics: object) => void} options.measured each second
   * @param {(state: string) => void} options.became the state of the connection, while it carries the media
   * @param {() => void} options.isEmpty the last of the others has left
   */
  constructor(session, call, options) {
    this.#session = session;
    this.#call = call;
    this.#options = options;
  }

  /** Goes into the room of this name; what is played meanwhile plays on. */
  enter(name) {
    this.name = name;
    return this.#join();
  }

  /** Goes out of it, for good. */
  leave() {
    const { room } = this;
    this.room = this.name = null;
    this.#isOutside = false;
    this.forget();
    room?.leave().catch(() => {});
  }

  /** Nothing of what happens in the room concerns the call any more. */
  forget() { this.#unlisten?.abort(); }

  /** Goes out for another call's room while the call is on hold; goes in again when it is taken up. */
  stepOut() {
    const { room } = this;
    this.#isOutside = true;
    this.room = null;
    this.#options.arrival.stop();
    this.forget();
    this.#options.dispatch('media', {});
    return room?.leave().catch(() => {});
  }

  /** The call is on hold now, or not any more. */
  holdChanged() {
    this.room?.pause(this.#call.holds).catch((error) => this.#failed(error));
    if (this.#isOutside && !this.#call.holds) this.#join();
  }

  /** Tells the others in the room whether a source is muted, where they do not know. */
  async tellMuted(source) {
    if (!this.room) return;
    const muted = this.#isMuted(source);
    if (this.room.isMuted(source) === muted) return;
    await this.room.mute(source, muted).catch((error) => this.#failed(error));
  }

  #isMuted(source) { return this.#call.isMuted(source) || this.#call.holds; }

  #failed(error) { this.#options.dispatch('error', { error }); }

  async #join() {
    const { name } = this;
    const call = this.#call;
    const other = this.#session.calls.inRoom(call);
    this.#isOutside = Boolean(other) && call.holds;
    if (this.#isOutside) return;
    if (other?.holds) await other.stepOut();
    const { join, tracks } = this.#options;
    let room;
    try {
      room = await this.#session.join(name, {
        microphone: tracks.microphone, camera: tracks.camera, paused: call.holds, ...join,
        muted: { microphone: this.#isMuted('microphone'), camera: this.#isMuted('camera') },
      });
    } catch (error) {
      this.#failed(error);
      if (!call.isOver && call.link?.state !== 'connected') call.hangUp();
      return;
    }
    if (call.isOver || this.name !== name) {
      room.leave().catch(() => {});
      return;
    }
    this.room = room;
    // What changed while the room was entered.
    room.pause(call.holds).catch((error) => this.#failed(error));
    for (const source of ['microphone', 'camera']) {
      if (room.track(source) !== tracks[source]) room.replaceTrack(source, tracks[source]);
      this.tellMuted(source);
    }
    this.#listen(room);
    const since = performance.now();
    this.#options.arrival.look(
      () => room.state === 'connected' && this.#hasArrived(room, performance.now() - since), () => this.#options.arrived(),
      () => call.link?.state !== 'connected');
  }

  #listen(room) {
    const call = this.#call;
    const { dispatch, measured, became, isEmpty } = this.#options;
    this.#unlisten = new AbortController();
    const { signal } = this.#unlisten;
    const on = (type, react) => room.addEventListener(type, ({ detail }) => react(detail), { signal });
    const know = ({ user, name }) => { if (name) this.names.set(user, name); };
    for (const participant of room.participants.values()) know(participant);
    on('participantJoined', ({ participant }) => know(participant));
    for (const type of ['slots', 'participantJoined', 'participantLeft', 'participantUpdated', 'trackPublished', 'trackUnpublished',
      'trackMuted', 'rejoined']) {
      on(type, () => { if (call.usesRoom) dispatch('media', {}); });
    }
    on('participantLeft', () => { if (room.participants.size === 0) isEmpty(); });
    on('statistics', ({ statistics }) => { if (call.usesRoom) measured(statistics); });
    on('connection', ({ state }) => { if (call.usesRoom) became(state); });
    on('error', ({ error }) => this.#failed(error));
    on('left', () => { if (this.room === room && call.usesRoom && !call.isOver) call.hangUp(); });
  }

  // Whether of everybody who should be heard and seen something has come.
  #hasArrived(room, waited) {
    const other = [...room.participants.values()].find(({ user }) => user === this.#call.user.id);
    if (!other) return false;
    const flows = (source) => {
      const track = other.tracks.find((one) => one.source === source);
      return !track || track.muted || Boolean(room.slotOf(other.id, source)?.showing);
    };
    return (flows('microphone') && flows('camera')) || (waited > PICTURE_PATIENCE && flows('microphone'));
  }
}
