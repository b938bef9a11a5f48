// Figures of a peer connection in terms of a room: `getStats()` twice, and the difference by the time between.

/** `getStats()` is asked this often, in milliseconds: a silent path shall be noticed soon. Figures come less often. */
const INTERVAL = 250;
const TOLD_EVERY = 1_000;

/**
 * Samples one peer connection. Its figures:
 * `{at, path: {kind, protocol, local, remote, roundTripTime, outgoingBitrate, availableOutgoing}, sending, receiving}`,
 * `sending` `[{mid, kind, rid, width, height, framesPerSecond, bitrate, lossFraction, roundTripTime, limitation}]`,
 * `receiving` `[{mid, kind, width, height, framesPerSecond, bitrate, lossFraction, jitter, framesDecoded,
 * packetsReceived, keyFramesDecoded, freezes, audioLevel, totalAudioEnergy}]`. Times in seconds, rates in bit/s.
 */
export class Sampler {
  #sampled;
  #told;
  #pc = null;
  #timer = 0;
  #previous = new Map();
  #toldAt = 0;
  #levels = new Map();
  /** The last figures, or null. */
  last = null;
  /** The level of the microphone, 0 to 1. */
  ownAudioLevel = 0;

  constructor(sampled, told) {
    this.#sampled = sampled;
    this.#told = told;
  }

  /** Samples this connection from now on. */
  watch(peerConnection) {
    this.stop();
    this.#pc = peerConnection;
    this.#previous = new Map();
    this.#timer = setInterval(() => this.#sample(), INTERVAL);
  }

  /** No more figures. */
  stop() {
    clearInterval(this.#timer);
    this.#pc = null;
  }

  /** The level of what is heard on an audio slot, 0 to 1, or undefined. */
  audioLevel(mid) { return this.#levels.get(mid); }

  async #sample() {
    const pc = this.#pc;
    if (!pc || pc.connectionState === 'closed') return;
    const report = await pc.getStats();
    if (pc !== this.#pc) return;
    this.#sampled(report);
    for (const stats of report.values()) {
      if (stats.type === 'inbound-rtp' && stats.kind === 'audio') this.#levels.set(stats.mid, stats.audioLevel);
      if (stats.type === 'media-source' && stats.kind === 'audio') this.ownAudioLevel = stats.audioLevel ?? 0;
    }
    const now = performance.now();
    if (now - this.#toldAt < TOLD_EVERY - INTERVAL / 2) return;
    this.#toldAt = now;
    this.last = summarise(report, this.#previous);
    this.#previous = new Map([...report.values()].map((stats) => [stats.id, stats]));
    this.#told(this.last);
  }
}

/** Turns a report and the one before it (a Map by id, possibly empty) into figures. */
export function summarise(report, previous) {
  const all = [...report.values()];
  const figures = { at: Date.now(), path: pathOf(report, all, previous), sending: [], receiving: [] };
  for (const stats of all) {
    const before = previous.get(stats.id);
    if (stats.type === 'outbound-rtp') {
      const remote = report.get(stats.remoteId) ?? all.find((one) => one.localId === stats.id);
      figures.sending.push({
        mid: stats.mid, kind: stats.kind, rid: stats.rid ?? null,
        width: stats.frameWidth, height: stats.frameHeight, framesPerSecond: stats.framesPerSecond,
        // What is sent again, and what probes the path with it, is no part of the encoding.
        bitrate: Math.max(0, rate(stats, before, 'bytesSent') - rate(stats, before, 'retransmittedBytesSent')) * 8,
        lossFraction: remote?.fractionLost, roundTripTime: remote?.roundTripTime,
        limitation: stats.qualityLimitationReason,
      });
    } else if (stats.type === 'inbound-rtp') {
      const lost = difference(stats, before, 'packetsLost');
      const received = difference(stats, before, 'packetsReceived');
      figures.receiving.push({
        mid: stats.mid, kind: stats.kind,
        width: stats.frameWidth, height: stats.frameHeight,
        framesPerSecond: stats.framesPerSecond ?? rate(stats, before, 'framesDecoded'),
        bitrate: rate(stats, before, 'bytesReceived') * 8,
        lossFraction: lost > 0 ? lost / (lost + received) : 0, jitter: stats.jitter,
        packetsReceived: stats.packetsReceived, framesDecoded: stats.framesDecoded,
        keyFramesDecoded: stats.keyFramesDecoded, freezes: stats.freezeCount,
        audioLevel: stats.audioLevel, totalAudioEnergy: stats.totalAudioEnergy,
      });
    }
  }
  figures.sending.sort((a, b) => a.mid - b.mid || (a.width ?? 0) - (b.width ?? 0));
  figures.receiving.sort((a, b) => a.mid - b.mid);
  return figures;
}

function pathOf(report, all, previous) {
  const transport = all.find((one) => one.type === 'transport');
  const pair = report.get(transport?.selectedCandidatePairId)
    ?? all.filter((one) => one.type === 'candidate-pair')
      .find((one) => one.selected || (one.nominated && one.state === 'succeeded'));
  if (!pair) return null;
  const local = report.get(pair.localCandidateId);
  const remote = report.get(pair.remoteCandidateId);
  const relayed = [local, remote].some((one) => one?.candidateType === 'relay');
  return {
    kind: relayed ? 'relay' : 'direct',
    protocol: local?.relayProtocol ?? local?.protocol,
    local: local?.candidateType, remote: remote?.candidateType,
    roundTripTime: pair.currentRoundTripTime,
    outgoingBitrate: rate(pair, previous.get(pair.id), 'bytesSent') * 8,
    incomingBitrate: rate(pair, previous.get(pair.id), 'bytesReceived') * 8,
    availableOutgoing: pair.availableOutgoingBitrate,
  };
}

function difference(stats, before, key) { return (stats[key] ?? 0) - (before?.[key] ?? 0); }

function rate(stats, before, key) {
  if (!before) return 0;
  const seconds = (stats.timestamp - before.timestamp) / 1_000;
  return seconds > 0 ? Math.max(0, difference(stats, before, key)) / seconds : 0;
}
