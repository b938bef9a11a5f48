// The Majlis client library: a session on a server (the `majlis.v1` envelope of docs/protocol.md) and, through
// `room.js`, a room joined over one RTCPeerConnection, and, through `calls.js`, one-to-one calls. It draws nothing and asks for no
// device; the pages beside it are two users.
//
//     import { connect } from './majlis.js';
//     const session = await connect({ url: 'wss://example.org/v1/ws', token });
//     const room = await session.join('garden', { microphone: audioTrack, camera: videoTrack, slots: 8 });
//     room.addEventListener('slots', ({ detail }) => …);
//
// Losing the WebSocket is not losing the call: the session resumes on a new socket, the peer connection is left alone.

import { Calls } from './calls.js';
import { Encryption } from './encryption.js';
import { Room } from './room.js';
export { Calls, Room };

/** The WebSocket subprotocol that this library speaks. */
export const SUBPROTOCOL = 'majlis.v1';

/** A command with no answer for this long, in milliseconds, means that the socket is dead although it looks open. */
const ANSWER_PATIENCE = 8_000;
/** The same while the media path is suspected too, in milliseconds. */
const ANSWER_PATIENCE_WHEN_SUSPECT = 800;
/** Reconnecting: the first delay and the greatest, in milliseconds; each is drawn from the upper half of its span. */
const FIRST_DELAY = 250;
const GREATEST_DELAY = 8_000;
/** A socket that has not opened and answered within this time, in milliseconds, is given up. */
const OPENING_PATIENCE = 6_000;
/** Commands that the server did not take in are sent again after so long, in milliseconds. */
const RESEND_AFTER = 250;
/** Events are acknowledged after this many, or after this many milliseconds, whichever is first. */
const ACKNOWLEDGE_AFTER = 16;
const ACKNOWLEDGE_WITHIN = 1_000;

/** Close codes after which trying again cannot help, and what they mean. */
const FINAL_CLOSES = new Map([
  [4400, 'malformed'],
  [4401, 'unauthorised'],
  [4403, 'forbidden'],
  [4409, 'replaced'],
  [4410, 'removed'],
  [4413, 'tooLarge'],
]);

/**
 * An error that the server answered, or the end of a session.
 * `code` is the protocol's error code, or one of: `expired`, `unauthorised`, `forbidden`, `replaced`, `removed`,
 * `malformed`, `tooLarge`, `unreachable`, `left`, `encryptionUnsupported`.
 */
export class MajlisError extends Error {
  constructor(code, message, details = {}) {
    super(message || code);
    this.name = 'MajlisError';
    this.code = code;
    this.details = details;
  }
}

/**
 * Opens a session.
 * @param {object} options
 * @param {string} options.url the server's WebSocket address, `wss://host/v1/ws`
 * @param {string} options.token the JWT that says who this is
 * @param {string} [options.device] the same user on the same device replaces itself; another device does not
 * @param {boolean} [options.callWaiting] another call may ring while this device is in one
 * @param {string} [options.client] a name for this client, for the server's log
 * @param {number} [options.attempts] sockets tried before `unreachable` (default 3); later reconnects never give up
 * @returns {Promise<Session>} once the server has said welcome
 * @throws {MajlisError} `expired`, `unauthorised`, `forbidden`, `unreachable`, …
 */
export async function connect(options) {
  const session = new Session(options);
  await session.opened;
  return session;
}

/**
 * One person's session on the server.
 *
 * Events (CustomEvent, what is named is in `detail`):
 * - `state` `{state, previous, retryInMilliseconds?}`: `connecting`, `open`, `reconnecting`, `closed`
 * - `message` the server's message, after the envelope has been checked
 * - `restarted` the server forgot the session and a new one was opened: rooms must be joined again (a Room does)
 * - `shutdown` `{reconnectAfterMilliseconds}`: the server said that it is about to end
 * - `closed` `{error}`: a MajlisError; the session will not come back
 */
export class Session extends EventTarget {
  #options;
  #socket = null;
  #state = 'connecting';
  #identity = null; // {session, resumeToken} of the welcome
  #nextID = 1;
  #pending = new Map(); // id (a number) → {message, resolve, reject, sentAt}
  #lastSeq = 0;
  #acknowledged = 0;
  #acknowledgeTimer = 0;
  #attempt = 0;
  #retryTimer = 0;
  #openingTimer = 0;
  #patienceTimer = 0;
  #blockedUntil = 0;
  #lastError = null;
  #opened;
  #everOpen = false;
  #calls = null;

  constructor(options) {
    super();
    this.#options = { attempts: 3, client: 'majlis.js', ...options };
    this.#opened = Promise.withResolvers ? Promise.withResolvers() : withResolvers();
    this.#opened.promise.catch(() => {});
    /** Times of `performance.now()` in milliseconds: `socketOpened`, `welcomed`. */
    this.timing = {};
    /** The user of the token, `{id, name}`; known from the welcome on. */
    this.user = null;
    /** The room that the token is for, where it names one. */
    this.grantedRoom = null;
    /** The STUN and TURN servers of the last welcome or refresh, as RTCPeerConnection takes them. */
    this.iceServers = [];
    /** The codecs of the server's rooms by name, the preferred first; from `welcome`. */
    this.codecs = ['opus', 'VP8'];
    /** The room joined in this session, or null. */
    this.room = null;
    this.#openSocket();
  }

  /** `connecting`, `open`, `reconnecting` or `closed`. */
  get state() { return this.#state; }
  /** A promise of the first welcome. */
  get opened() { return this.#opened.promise; }

  /** The one-to-one calls of this session; to be asked for before the first message can come, that is at once. See calls.js. */
  get calls() { return this.#calls ??= new Calls(this); }

  /**
   * Joins a room. See `Room` for options and events.
   * @returns {Promise<Room>}
   */
  async join(name, options = {}) {
    if (this.room) throw new MajlisError('alreadyJoined', 'This session is in a room.');
    const obstacle = options.passphrase ? Encryption.obstacle(options.videoCodecs ?? this.codecs) : null;
    if (obstacle) throw new MajlisError('encryptionUnsupported', obstacle);
    const room = new Room(this, name, options);
    this.room = room;
    try {
      await room.join();
    } catch (error) {
      this.room = null;
      room.close();
      throw error;
    }
    return room;
  }

  /**
   * Sends a command and waits for its answer, over a lost socket if need be.
   * @param {object} message without `id` and `ack`
   * @returns {Promise<object>} the answer
   * @throws {MajlisError} the server's error answer, or the end of the session
   */
  request(message) {
    if (this.#state === 'closed') return Promise.reject(this.#lastError ?? new MajlisError('left', 'Closed.'));
    return new Promise((resolve, reject) => {
      const id = this.#nextID++;
      const entry = { message, resolve, reject, sentAt: 0 };
      this.#pending.set(id, entry);
      if (this.#state === 'open') this.#transmit(id, entry);
      this.#watchPatience();
    });
  }

  /** Ends the session. Leaves the room first, so that the others are told at once. */
  async close() {
    if (this.#state === 'closed') return;
    await Promise.all((this.#calls?.all ?? []).map((call) => call.hangUp().catch(() => {})));
    if (this.room) await this.room.leave().catch(() => {});
    this.#finish(new MajlisError('left', 'The session was closed.'));
  }

  /** Says goodbye without waiting, for a page that is going away. */
  abandon() {
    if (this.#state === 'open') {
      for (const goodbye of this.#calls?.goodbyes ?? []) this.#write({ id: String(this.#nextID++), ...goodbye });
    }
    if (this.room && this.#state === 'open') this.#write({ id: String(this.#nextID++), type: 'leave' });
    this.#finish(new MajlisError('left', 'The page was closed.'));
  }

  /**
   * Says that the network may have changed: a waiting reconnect is tried at once, and commands that find no answer make
   * the socket be replaced soon.
   */
  networkSuspected() {
    if (this.#state === 'reconnecting' && !this.#socket) {
      this.#attempt = 0;
      this.#scheduleReconnect(0);
    } else if (this.#state === 'open') {
      this.#suspectUntil = performance.now() + 5_000;
      this.#watchPatience();
    }
  }
  #suspectUntil = 0;

  /** Says that the network did change: a new socket at once, the old one may be dead without a sign. */
  networkChanged() {
    if (this.#state === 'open' || this.#state === 'reconnecting') {
      this.#attempt = 0;
      if (this.#state === 'open') this.#dropSocket();
      this.#scheduleReconnect(0);
    }
  }

  /**
   * For tests: the socket breaks without a goodbye and no new one is tried for so long.
   * @param {number} milliseconds
   */
  simulateConnectionLoss(milliseconds) {
    this.#blockedUntil = performance.now() + milliseconds;
    this.#lostSocket('simulated');
  }

  // The socket.

  #openSocket() {
    this.#dropSocket();
    let socket;
    try {
      socket = new WebSocket(this.#options.url, SUBPROTOCOL);
    } catch (error) {
      this.#finish(new MajlisError('unreachable', error.message));
      return;
    }
    this.#socket = socket;
    this.#openingTimer = setTimeout(() => this.#lostSocket('no answer'), OPENING_PATIENCE);
    socket.onopen = () => {
      this.timing.socketOpened = performance.now();
      this.#write(this.#identity
        ? { id: '0', type: 'resume', ...this.#identity, lastSeq: this.#lastSeq }
        : this.#hello());
    };
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#socketClosed(event);
  }

  #hello() {
    const { token, device, client, callWaiting } = this.#options;
    return { id: '0', type: 'hello', token, ...(device && { device }), client, ...(callWaiting && { callWaiting }) };
  }

  #dropSocket() {
    clearTimeout(this.#openingTimer);
    clearTimeout(this.#retryTimer);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    try { socket.close(4000, 'abandoned'); } catch { /* it was never open */ }
  }

  #write(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #transmit(id, entry) {
    entry.sentAt = performance.now();
    this.#acknowledged = this.#lastSeq;
    this.#write({ id: String(id), ack: this.#lastSeq, ...entry.message });
  }

  #socketClosed({ code, reason }) {
    this.#dropSocket();
    if (code === 4408) {
      this.#startOver();
    } else if (FINAL_CLOSES.has(code)) {
      let kind = FINAL_CLOSES.get(code);
      if (kind === 'unauthorised' && /expired/i.test(reason)) kind = 'expired';
      this.#finish(new MajlisError(kind, reason || kind, { closeCode: code }));
    } else {
      this.#lostSocket(reason);
    }
  }

  // The socket is gone, by whatever cause that another one may cure.
  #lostSocket(reason) {
    this.#dropSocket();
    if (this.#state === 'closed') return;
    this.#attempt += 1;
    if (!this.#everOpen && this.#attempt >= this.#options.attempts) {
      this.#finish(new MajlisError('unreachable', reason || 'The server cannot be reached.'));
      return;
    }
    const span = Math.min(GREATEST_DELAY, FIRST_DELAY * 2 ** (this.#attempt - 1));
    this.#scheduleReconnect(span / 2 + Math.random() * span / 2);
  }

  #scheduleReconnect(delay) {
    const wait = Math.max(delay, this.#blockedUntil - performance.now(), 0);
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#openSocket(), wait);
    this.#become(this.#everOpen ? 'reconnecting' : 'connecting', { retryInMilliseconds: Math.round(wait) });
  }

  // The server no longer knows the session: a new one, in which everything asked before is void.
  #startOver() {
    this.#identity = null;
    this.#lastSeq = this.#acknowledged = 0;
    this.#rejectPending(new MajlisError('resyncNeeded', 'The server began anew.'));
    this.#nextID = 1;
    this.#scheduleReconnect(0);
  }

  #rejectPending(error) {
    const entries = [...this.#pending.values()];
    this.#pending.clear();
    for (const entry of entries) entry.reject(error);
  }

  #finish(error) {
    if (this.#state === 'closed') return;
    this.#lastError = error;
    clearTimeout(this.#acknowledgeTimer);
    clearTimeout(this.#patienceTimer);
    clearTimeout(this.#resendTimer);
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#openingTimer);
    clearTimeout(this.#retryTimer);
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(1000, 'bye');
    }
    this.#become('closed');
    this.#rejectPending(error);
    this.#opened.reject(error);
    this.#dispatch('closed', { error });
  }

  #become(state, more = {}) {
    const previous = this.#state;
    this.#state = state;
    if (state !== previous || 'retryInMilliseconds' in more) this.#dispatch('state', { state, previous, ...more });
  }

  #dispatch(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }

  // Messages.

  #receive(text) {
    const message = JSON.parse(text);
    if (message.type === 'resumed') return this.#resumed(message);
    if (message.type === 'error' && message.seq === undefined) {
      return this.#unnumberedError(message);
    }
    if (message.type === 'welcome') return this.#welcomed(message);
    if (message.seq !== undefined) {
      if (message.seq <= this.#lastSeq) return undefined; // Replayed, and seen before.
      if (message.seq > this.#lastSeq + 1) return this.#lostSocket('a message is missing');
      this.#lastSeq = message.seq;
      this.#acknowledgeSoon();
    }
    this.takeICEServers(message);
    if (message.re !== undefined) this.#settle(message);
    if (message.type === 'serverShutdown') {
      this.#blockedUntil = performance.now() + (message.reconnectAfterMilliseconds ?? 0);
      this.#dispatch('shutdown', message);
    }
    this.#dispatch('message', message);
    return undefined;
  }

  // An error that changed nothing: a command that must be sent again, or what is said just before the server closes
  // (the close code that follows decides then).
  #unnumberedError(message) {
    if (message.fatal && message.retryAfterMilliseconds) {
      this.#blockedUntil = Math.max(this.#blockedUntil, performance.now() + message.retryAfterMilliseconds);
    }
    const entry = this.#pending.get(Number(message.re));
    if (!entry) return;
    if (message.code === 'tooManyPending' || message.code === 'commandGap') {
      this.#acknowledge();
      clearTimeout(this.#resendTimer);
      this.#resendTimer = setTimeout(() => {
        if (this.#state !== 'open') return;
        for (const [id, pending] of this.#pending) this.#transmit(id, pending);
      }, RESEND_AFTER);
    } else {
      this.#settle(message);
    }
  }
  #resendTimer = 0;

  #welcomed(message) {
    const again = this.#everOpen;
    this.timing.welcomed = performance.now();
    this.#identity = { session: message.session, resumeToken: message.resumeToken };
    this.#lastSeq = message.seq ?? 1;
    this.user = message.user ?? null;
    this.grantedRoom = message.room && message.room !== '*' ? message.room : null;
    this.takeICEServers(message);
    if (Array.isArray(message.codecs)) this.codecs = message.codecs;
    this.#nowOpen();
    for (const [id, entry] of this.#pending) this.#transmit(id, entry);
    this.#acknowledgeSoon();
    this.#opened.resolve(this);
    if (again) this.#dispatch('restarted', {});
  }

  #resumed({ lastCommand }) {
    const done = Number(lastCommand ?? 0);
    this.#nowOpen();
    // Commands up to `lastCommand` have their answers in the replay that follows.
    for (const [id, entry] of this.#pending) {
      if (id > done) this.#transmit(id, entry);
      else entry.sentAt = performance.now();
    }
    this.#watchPatience();
  }

  #nowOpen() {
    clearTimeout(this.#openingTimer);
    this.#attempt = 0;
    this.#everOpen = true;
    this.#become('open');
  }

  /** Takes `iceServers` from a message that carries them; used by the session and its room. */
  takeICEServers(message) {
    if (!Array.isArray(message.iceServers)) return;
    this.iceServers = message.iceServers;
  }

  #settle(message) {
    const id = Number(message.re);
    const entry = this.#pending.get(id);
    if (!entry) return;
    this.#pending.delete(id);
    this.#watchPatience();
    if (message.type === 'error') {
      const { code, message: sentence, ...details } = message;
      entry.reject(new MajlisError(code, sentence, details));
    } else {
      entry.resolve(message);
    }
  }

  #acknowledgeSoon() {
    if (this.#lastSeq - this.#acknowledged >= ACKNOWLEDGE_AFTER) {
      this.#acknowledge();
    } else if (!this.#acknowledgeTimer) {
      this.#acknowledgeTimer = setTimeout(() => this.#acknowledge(), ACKNOWLEDGE_WITHIN);
    }
  }

  #acknowledge() {
    clearTimeout(this.#acknowledgeTimer);
    this.#acknowledgeTimer = 0;
    if (this.#state !== 'open' || this.#acknowledged === this.#lastSeq) return;
    this.#acknowledged = this.#lastSeq;
    this.#write({ type: 'ack', ack: this.#lastSeq });
  }

  // The server's WebSocket pings are answered by the browser and cannot be seen here; what shows a dead socket is a
  // command that finds no answer.
  #watchPatience() {
    clearTimeout(this.#patienceTimer);
    if (this.#state !== 'open') return;
    let oldest = Infinity;
    for (const entry of this.#pending.values()) if (entry.sentAt) oldest = Math.min(oldest, entry.sentAt);
    if (oldest === Infinity) return;
    const now = performance.now();
    const suspect = now < this.#suspectUntil;
    // While the network is suspect, waiting counts from the suspicion on: an answer may be on its way.
    const since = suspect ? Math.max(oldest, this.#suspectUntil - 5_000) : oldest;
    const patience = suspect ? ANSWER_PATIENCE_WHEN_SUSPECT : ANSWER_PATIENCE;
    this.#patienceTimer = setTimeout(() => {
      this.#suspectUntil = 0;
      this.#attempt = 0;
      this.#become('reconnecting');
      if (performance.now() >= this.#blockedUntil) this.#openSocket();
      else this.#scheduleReconnect(0);
    }, Math.max(0, since + patience - now));
  }
}

function withResolvers() {
  let resolve;
  let reject;
  const promise = new Promise((a, b) => { resolve = a; reject = b; });
  return { promise, resolve, reject };
}
