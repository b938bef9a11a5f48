// How good a conversation can sound, from delay, loss and jitter: the E-model (ITU-T G.107) with the simplifications and the constants
// of the server's `EModel`, for calls that no server hears.

/** The rating without any impairment but the default terminals' (G.107 §7.7). */
const BEST_RATING = 93.2;
/** Opus in frames of 20 ms with 6.5 ms of look-ahead (RFC 6716), in milliseconds; its robustness against random loss (Bpl). */
const PACKETISATION = 26.5;
const LOSS_ROBUSTNESS = 20;

/**
 * The mean opinion score, 1 (bad) to 4.4.
 * @param {object} path
 * @param {number} path.rttMilliseconds the way there and back; half of it is the delay
 * @param {number} path.jitterMilliseconds the interarrival jitter (RFC 3550); a jitter buffer of twice as much is assumed
 * @param {number} path.lossPercent 0 to 100
 */
export function meanOpinionScore({ rttMilliseconds, jitterMilliseconds, lossPercent }) {
  const delay = rttMilliseconds / 2 + 2 * jitterMilliseconds + PACKETISATION;
  const delayImpairment = 0.024 * delay + Math.max(0, 0.11 * (delay - 177.3));
  const lossImpairment = (95 * lossPercent) / (lossPercent + LOSS_ROBUSTNESS);
  const rating = within(BEST_RATING - delayImpairment - lossImpairment, 0, BEST_RATING);
  return within(1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 0.000_007, 1, 4.5);
}

function within(value, least, most) { return Math.min(most, Math.max(least, value)); }
