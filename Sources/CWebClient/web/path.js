// Watches whether the path to the server still carries anything. Browsers need five seconds and more to call a dead path
// "disconnected"; a connection on which reports and feedback arrive many times a second shows it much sooner.

/** A path that was busy and then silent for so long, in milliseconds, is suspected. */
const SILENCE = 1_100;
/** It counts as busy when something arrived in each of so many samples before. */
const BUSY_SAMPLES = 4;
/** Two suspicions are at least so far apart, in milliseconds. */
const BETWEEN_SUSPICIONS = 4_000;

/** Tells, once, when the network changed or the path fell silent. */
export class PathWatch {
  #suspect;
  #busy = 0;
  #packets = -1;
  #arrivedAt = 0;
  #suspectedAt = -Infinity;
  #networkType = navigator.connection?.type;
  #onOnline = () => this.#tell('online', true);
  #onConnection = () => {
    // The same event tells changed estimates of rate and delay, which mean nothing here.
    const type = navigator.connection.type;
    if (type === this.#networkType) return;
    this.#networkType = type;
    if (type !== 'none') this.#tell('network changed', true);
  };

  /** @param {(reason: string, certain: boolean) => void} suspect told when the path should be looked for again */
  constructor(suspect) {
    this.#suspect = suspect;
    window.addEventListener('online', this.#onOnline);
    navigator.connection?.addEventListener?.('change', this.#onConnection);
  }

  /** Takes one RTCStatsReport; the more often the sooner a silence is noticed. */
  sampled(report) {
    let packets = 0;
    for (const stats of report.values()) {
      if (stats.type === 'transport' && stats.packetsReceived !== undefined) packets += stats.packetsReceived;
      else if (stats.type === 'candidate-pair' && stats.nominated) packets += stats.responsesReceived ?? 0;
    }
    const now = performance.now();
    if (packets !== this.#packets) {
      this.#packets = packets;
      this.#arrivedAt = now;
      this.#busy += 1;
    } else if (this.#busy >= BUSY_SAMPLES && now - this.#arrivedAt > SILENCE) {
      this.#busy = 0;
      this.#tell('silence', false);
    } else if (now - this.#arrivedAt > SILENCE) {
      this.#busy = 0;
    }
  }

  /** Whether something arrived within the last second, or the connection is one that is rightly silent. */
  isAlive(peerConnection) {
    return peerConnection.connectionState === 'connected' && performance.now() - this.#arrivedAt < SILENCE;
  }

  /** No more suspicions. */
  stop() {
    window.removeEventListener('online', this.#onOnline);
    navigator.connection?.removeEventListener?.('change', this.#onConnection);
  }

  #tell(reason, certain) {
    const now = performance.now();
    if (!certain && now - this.#suspectedAt < BETWEEN_SUSPICIONS) return;
    this.#suspectedAt = now;
    this.#suspect(reason, certain);
  }
}
