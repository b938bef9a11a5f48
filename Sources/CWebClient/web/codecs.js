// What is offered of the codecs, and what an encoder may spend on each source.

/** Simulcast as the server expects it: quarter, half and full size, lowest first, with what each may cost in bit/s. */
export const SIMULCAST = [
  { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 1_700_000 },
];
/** The greatest bit rate of a camera without simulcast and of a shared screen, in bit/s. */
const PLAIN_VIDEO_BITRATE = 1_700_000;
const SCREEN_BITRATE = 2_500_000;

// Browsers send these as one stream a layer; the others as layers within one stream.
const SIMULCAST_CODECS = ['vp8', 'h264'];

/** The `sendEncodings` of a source, or undefined where the browser shall choose. `codec` is the preferred one. */
export function sendEncodings(source, simulcast, codec) {
  if (source === 'screen') return [{ maxBitrate: SCREEN_BITRATE }];
  if (source !== 'camera') return undefined;
  return simulcast && SIMULCAST_CODECS.includes(codec?.toLowerCase())
    ? SIMULCAST.map((encoding) => ({ ...encoding })) : [{ maxBitrate: PLAIN_VIDEO_BITRATE }];
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
