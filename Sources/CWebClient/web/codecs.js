// What is offered of the codecs, and what an encoder may spend on each source.

/** The rids of simulcast as the server expects them, the lowest layer first. */
const RIDS = ['q', 'h', 'f'];

/** Ladders by name: the capture's height that they are made for, null for any, and by what each layer divides it. */
const LADDERS = {
  1080: { height: null, divisors: [4, 2, 1] }, // 1080/540/270 of a 1080p capture, 720/360/180 of a 720p one
  720: { height: 720, divisors: [3, 1.5, 1] }, // 720/480/240, a larger capture made smaller
};

/** What a layer of so many lines may cost at most, in kbit/s at 30 frames a second: between libwebrtc's own table for
 *  simulcast (2,500 for 720 lines, 900 for 540, 500 for 360, 350 for 270, 150 for 180) and what LiveKit's client spends (3,000
 *  for 1080, 1,700 for 720, 800 for 540, 450 for 360, 160 for 180). */
const BITRATES = [[1080, 3_000], [720, 1_700], [540, 900], [480, 700], [360, 500], [270, 300], [240, 220], [180, 150]];

/** The height that a camera is taken to have while there is none. */
const ASSUMED_HEIGHT = 720;
/** The greatest bit rate of a shared screen, in bit/s. */
const SCREEN_BITRATE = 2_500_000;

/** One spatial layer and three temporal ones (W3C WebRTC-SVC): a receiver can be sent half or a quarter of the frames. */
const TEMPORAL_LAYERS = 'L1T3';
/** One stream a layer in every browser; the others only where a scalability mode says that each has one spatial layer. */
const SIMULCAST_CODECS = ['vp8', 'h264'];
const SIMULCAST_CODECS_WITH_MODES = ['vp9', 'av1'];

/** What a layer of so many lines may cost at most, in bit/s. */
export function bitrateOf(height) {
  const [, kilobits] = BITRATES.find(([least]) => height >= least) ?? BITRATES.at(-1);
  return kilobits * 1_000;
}

/**
 * The `sendEncodings` of a source, or undefined where the browser shall choose.
 * @param {string} source
 * @param {object} options
 * @param {boolean} options.simulcast
 * @param {string|object[]} options.ladder `1080`, `720`, or encodings as `RTCRtpTransceiverInit` takes them, the lowest first
 * @param {string} options.codec the preferred one
 * @param {number} [options.height] the capture's height, or its width where that is less
 */
export function sendEncodings(source, { simulcast, ladder, codec, height }) {
  if (source === 'screen') return [{ maxBitrate: SCREEN_BITRATE }];
  if (source !== 'camera') return undefined;
  const name = codec?.toLowerCase();
  // Asked only where it matters: the trial would take its time from every join. `addSender` falls back.
  const canSimulcast = SIMULCAST_CODECS.includes(name)
    || (SIMULCAST_CODECS_WITH_MODES.includes(name) && knowsScalabilityModes());
  const mode = { scalabilityMode: TEMPORAL_LAYERS };
  if (Array.isArray(ladder)) {
    const encodings = simulcast && canSimulcast ? ladder : ladder.slice(-1).map(({ rid, ...rest }) => rest);
    return encodings.map((encoding) => ({ ...mode, ...encoding }));
  }
  const lines = height || ASSUMED_HEIGHT;
  const { height: made, divisors } = LADDERS[ladder] ?? LADDERS[1080];
  const base = made ? Math.max(1, lines / made) : 1;
  const layers = divisors.map((divisor, index) => ({
    rid: RIDS[index], scaleResolutionDownBy: base * divisor, maxBitrate: bitrateOf(lines / (base * divisor)), ...mode,
  }));
  if (simulcast && canSimulcast) return layers;
  const { rid, ...plain } = layers.at(-1);
  return [plain];
}

let modesAreKnown;

// Whether encodings have scalability modes here. Firefox ignores them, and then sends VP9 as one stream whatever rids it is given.
function knowsScalabilityModes() {
  if (modesAreKnown !== undefined) return modesAreKnown;
  const trial = new RTCPeerConnection();
  try {
    const { sender } = trial.addTransceiver('video', { sendEncodings: [{ scalabilityMode: TEMPORAL_LAYERS }] });
    modesAreKnown = sender.getParameters().encodings?.[0]?.scalabilityMode === TEMPORAL_LAYERS;
  } catch {
    modesAreKnown = false;
  } finally {
    trial.close();
  }
  return modesAreKnown;
}

/** Adds a transceiver that sends; without scalability modes where the browser does not take these. */
export function addSender(pc, trackOrKind, encodings) {
  const add = (list) => pc.addTransceiver(trackOrKind, { direction: 'sendonly', ...(list && { sendEncodings: list }) });
  if (!encodings?.some(({ scalabilityMode }) => scalabilityMode)) return add(encodings);
  try {
    return add(encodings);
  } catch {
    return add(encodings.map(({ scalabilityMode, ...rest }) => rest));
  }
}

/**
 * Offers these codecs only, the preferred first: a description with only what rooms use has a quarter of the bytes, and
 * no codec that nobody could forward. Throws what the browser throws.
 */
export function keepCodecs(transceiver, kind, codecs) {
  if (!transceiver.setCodecPreferences) return;
  const names = codecs.map((name) => `${kind}/${name}`.toLowerCase());
  const rank = (codec) => names.indexOf(codec.mimeType.toLowerCase());
  const known = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
  const kept = known.filter((codec) => rank(codec) >= 0).sort((a, b) => rank(a) - rank(b));
  if (kept.length) transceiver.setCodecPreferences(kept);
}
