// Watches whether the path to the server still carries anything. Browsers need five seconds and more to call a dead
// path "disconnected", and many tell nothing when an address changes; a connection on which media, reports and feedback
// arrive many times a second shows it within one.

/** A silence is suspicious when it is longer than this, in milliseconds, and than so many of the usual gaps. */
const LEAST_SILENCE = 800;
const USUAL_GAPS = 3;
/** The usual gap is the longest of so many; before that, nothing is judged. */
const REMEMBERED_GAPS = 12;
const NEEDED_GAPS = 2;
/** Two suspicions are at least so far apart, in milliseconds. */
const BETWEEN_SUSPICIONS = 3_000;

/** Tells when the network changed or the path fell silent. */
export class PathWatch {
  #suspect;
  #gaps = [];
  #packets = -1;
  #arrivedAt = 0;
  #isSilent = false;
  #isQuiet = false;
  #suspectedAt = -Infinity;
  #networkType = navigator.connection?.type;
  #onOnline = () => this.#tell('online');
  #onConnection = () => {
    // The same event tells changed estimates of rate and delay, which mean nothing here.
    const type = navigator.connection.type;
    if (type === this.#networkType) return;
    this.#networkType = type;
    if (type !== 'none') this.#tell('network changed');
  };

  /** @param {(reason: string) => void} suspect told when the path should be looked for again */
  constructor(suspect) {
    this.#suspect = suspect;
    window.addEventListener('online', this.#onOnline);
    navigator.connection?.addEventListener?.('change', this.#onConnection);
  }

  /** Takes one RTCStatsReport; the more often the sooner a silence is noticed. */
  sampled(report) {
    let packets = 0;
    for (const stats of report.values()) {
      if (stats.type === 'transport') packets += stats.packetsReceived ?? 0;
      else if (stats.type === 'inbound-rtp') packets += stats.packetsReceived ?? 0;
      else if (stats.type === 'candidate-pair') packets += stats.responsesReceived ?? 0;
    }
    const now = performance.now();
    if (packets !== this.#packets) {
      // The wait for the first packet says nothing about the path, nor does that for media that is not sent.
      if (!this.#isSilent && !this.#isQuiet && this.#packets > 0) this.#gaps.push(now - this.#arrivedAt);
      if (this.#gaps.length > REMEMBERED_GAPS) this.#gaps.shift();
      this.#packets = packets;
      this.#arrivedAt = now;
      this.#isSilent = false;
    } else if (!this.#isSilent && !this.#isQuiet && this.#gaps.length >= NEEDED_GAPS && now - this.#arrivedAt > this.#patience()) {
      this.#isSilent = true;
      if (now - this.#suspectedAt > BETWEEN_SUSPICIONS) this.#tell('silence');
    }
  }

  /** Whether something arrived not long ago. */
  get isAlive() { return this.#isQuiet || performance.now() - this.#arrivedAt < this.#patience(); }

  /** Nothing is sent from now on, so that silence says nothing; or something is again. */
  expectSilence(isQuiet) {
    this.#isQuiet = isQuiet;
    this.#isSilent = false;
    this.#arrivedAt = performance.now();
  }

  /** No more suspicions. */
  stop() {
    window.removeEventListener('online', this.#onOnline);
    navigator.connection?.removeEventListener?.('change', this.#onConnection);
  }

  #patience() { return Math.max(LEAST_SILENCE, USUAL_GAPS * Math.max(0, ...this.#gaps)); }

  #tell(reason) {
    this.#suspectedAt = performance.now();
    this.#suspect(reason);
  }
}
