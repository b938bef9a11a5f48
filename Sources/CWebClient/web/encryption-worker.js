// The worker that encrypts and decrypts encoded frames (RTCRtpScriptTransform, W3C WebRTC Encoded Transform), all of
// one room: docs/encryption.md says what a frame looks like, and what this demonstration does not protect.
//
// Told: `key` {passphrase, room}, `participants` {self, others} and `slot` {receiver, number}. Tells: `state` {number,
// state}.

const MARKER = [0x4d, 0x45]; // the last two bytes of an encrypted frame
const IV_LENGTH = 12;
const TAG_LENGTH = 16;
/** IV, key id, length of the clear part, marker. */
const TRAILER_LENGTH = IV_LENGTH + 1 + 1 + MARKER.length;
/** The room's one key; another one would carry another id. */
const KEY_ID = 0;
/** The longest part that forwarding reads. */
const GREATEST_CLEAR = 10;
/** A participant's first frames and the message that names it race each other: frames wait so long, in milliseconds. */
const PARTICIPANT_PATIENCE = 1_000;
/** So many frames that cannot be used, and none that could, tell about a participant. */
const TELLING = 5;

let secret = null; // a promise of the room's HKDF key
let roomName = '';
let own = deferred(); // of the own frame key
const keys = new Map(); // number → {user, key, resolve}; `key` is a promise
const slots = new Map(); // receiver → {now, before}: numbers
const states = new Map(); // number → {state, count}

// No IV twice under one key: 64 random bits for each run of this worker, then a counter that all senders share.
let prefix = crypto.getRandomValues(new Uint8Array(8));
let counter = 0;

self.onmessage = ({ data }) => {
  switch (data.type) {
    case 'key':
      roomName = data.room;
      secret = crypto.subtle.importKey('raw', utf8(data.passphrase), 'HKDF', false, ['deriveKey']);
      break;
    case 'participants':
      takeParticipants(data);
      break;
    case 'slot': {
      const slot = slots.get(data.receiver);
      if (slot?.now !== data.number) slots.set(data.receiver, { now: data.number, before: slot?.now ?? null });
      break;
    }
    default:
  }
};

self.onrtctransform = ({ transformer }) => {
  const { side, receiver, mimeType } = transformer.options;
  const transform = side === 'send'
    ? (frame) => encrypt(frame, mimeType)
    : (frame) => decrypt(frame, receiver);
  const stream = new TransformStream({
    // What fails is dropped: a frame leaves encrypted or not at all, and arrives decrypted or not at all.
    async transform(frame, controller) {
      const data = await transform(frame).catch(() => null);
      if (!data) return;
      frame.data = data;
      controller.enqueue(frame);
    },
  });
  // It ends with the peer connection.
  transformer.readable.pipeThrough(stream).pipeTo(transformer.writable).catch(() => {});
};

// Keys.

function takeParticipants({ self: me, others }) {
  const key = deriveKey(me, 'encrypt');
  key.then(own.resolve, () => {});
  own = { promise: key, resolve: () => {} };
  const known = new Set(others.map(({ number }) => number));
  for (const number of [...keys.keys()]) {
    if (keys.get(number).user === undefined || known.has(number)) continue;
    keys.delete(number);
    states.delete(number);
  }
  for (const { number, user } of others) {
    const entry = keys.get(number);
    if (entry?.user === user) continue;
    const derived = deriveKey({ number, user }, 'decrypt');
    entry?.resolve(derived);
    keys.set(number, { user, key: derived, resolve: () => {} });
    states.delete(number);
  }
}

// One key for each participant: they never share an IV space.
async function deriveKey({ number, user }, use) {
  const info = utf8(JSON.stringify(['majlis frame key', number, user]));
  return crypto.subtle.deriveKey(
    { name: 'HKDF', hash: 'SHA-256', salt: utf8(`majlis room ${roomName}`), info }, await secret,
    { name: 'AES-GCM', length: 256 }, false, [use]);
}

// The key of a number; one that was not told of yet is waited for.
function keyOf(number) {
  let entry = keys.get(number);
  if (!entry) {
    const { promise, resolve } = deferred();
    entry = { user: undefined, key: promise, resolve };
    keys.set(number, entry);
    setTimeout(() => {
      if (keys.get(number) === entry) keys.delete(number);
      resolve(null);
    }, PARTICIPANT_PATIENCE);
  }
  return entry.key;
}

// Frames.

async function encrypt(frame, mimeType) {
  const plain = new Uint8Array(frame.data);
  const clear = clearPart(plain, (frame.getMetadata().mimeType ?? mimeType).toLowerCase());
  if (!clear) return null;
  const iv = nextIV();
  const trailer = Uint8Array.of(...iv, KEY_ID, clear.length, ...MARKER);
  const key = await own.promise;
  const sealed = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv, additionalData: joined(clear, trailer), tagLength: TAG_LENGTH * 8 }, key, plain);
  return joined(clear, new Uint8Array(sealed), trailer).buffer;
}

// What forwarding reads stays readable, changed so that a decoder which knows nothing of all this refuses the frame
// instead of showing or playing noise. The whole frame, this part in its true form included, is in the ciphertext.
function clearPart(plain, mimeType) {
  switch (mimeType) {
    case 'audio/opus':
      // The configuration of the TOC byte, but as a packet of any number of frames (code 3), and the number is zero,
      // which no packet may have (RFC 6716 section 3.2.5).
      return Uint8Array.of((plain[0] ?? 0) | 0x03, 0);
    case 'video/vp8': {
      // The frame tag and, of a key frame, start code and size (RFC 6386 section 9.1); but the first partition is
      // longer than the frame.
      if (plain.length < 3) return null;
      const clear = plain.slice(0, plain[0] & 0x01 ? 3 : 10);
      clear[0] |= 0xe0;
      clear[1] = clear[2] = 0xff;
      return clear;
    }
    case 'video/vp9':
      return Uint8Array.of(0); // a frame marker that there is not; forwarding reads the payload descriptor only
    default:
      return null; // the packets of other codecs follow the structure of the whole frame
  }
}

async function decrypt(frame, receiver) {
  const data = new Uint8Array(frame.data);
  const metadata = frame.getMetadata();
  // The CSRC is right even while the message about the slot is on its way.
  const named = metadata.contributingSources?.[0];
  const { now = null, before = null } = slots.get(receiver) ?? {};
  const numbers = (named !== undefined ? [named] : [now, before]).filter((number) => number !== null);
  const parts = split(data);
  if (!parts) {
    if (data.length) told(numbers[0], 'plain');
    return null;
  }
  for (const number of numbers) {
    const key = await keyOf(number);
    if (!key) continue;
    try {
      const parameters = { name: 'AES-GCM', tagLength: TAG_LENGTH * 8, ...parts.parameters };
      const plain = await crypto.subtle.decrypt(parameters, key, parts.sealed);
      told(number, 'readable');
      return plain;
    } catch {
      // Another key's; the last try tells.
    }
  }
  told(numbers[0], 'undecryptable');
  return null;
}

// The parts of an encrypted frame, or null where it is not one. Every length is checked: a frame may come from anybody.
function split(data) {
  const end = data.length - TRAILER_LENGTH;
  if (end < TAG_LENGTH || data.at(-2) !== MARKER[0] || data.at(-1) !== MARKER[1]) return null;
  const trailer = data.subarray(end);
  const clearLength = trailer[IV_LENGTH + 1];
  if (trailer[IV_LENGTH] !== KEY_ID || clearLength > GREATEST_CLEAR || clearLength + TAG_LENGTH > end) return null;
  return {
    parameters: { iv: trailer.subarray(0, IV_LENGTH), additionalData: joined(data.subarray(0, clearLength), trailer) },
    sealed: data.subarray(clearLength, end),
  };
}

function nextIV() {
  if (counter === 0xffff_ffff) {
    prefix = crypto.getRandomValues(new Uint8Array(8));
    counter = 0;
  }
  counter += 1;
  const iv = new Uint8Array(IV_LENGTH);
  iv.set(prefix);
  new DataView(iv.buffer).setUint32(8, counter);
  return iv;
}

// A key fits from a participant's first frame on or never: what was readable once stays so.
function told(number, state) {
  if (number === undefined) return;
  const known = states.get(number) ?? { state: null, count: 0 };
  states.set(number, known);
  if (known.state === state || known.state === 'readable') return;
  known.count += 1;
  if (state !== 'readable' && known.count < TELLING) return;
  Object.assign(known, { state, count: 0 });
  self.postMessage({ type: 'state', number, state });
}

function utf8(text) { return new TextEncoder().encode(text); }

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function deferred() {
  let resolve;
  const promise = new Promise((settle) => { resolve = settle; });
  return { promise, resolve };
}
