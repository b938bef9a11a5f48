// What a device measures of its one-to-one call and says about it: by which path it has media, and how well it is served. Measures
// nothing by itself: statistics.js does.

import { meanOpinionScore } from './mos.js';

/** Reports go to the server this often, in milliseconds. */
const REPORT_EVERY = 5_000;

/** The reports of one call, which it makes; `quality` and `path` of the call are set here. */
export class CallReports {
  #call;
  #ask;
  #dispatch;
  #timer = 0;
  #figures = new Map(); // what was measured since the last report, by when
  #isReported = false;
  #reportedPath = null;

  /**
   * @param {OneToOneCall} call
   * @param {{ask: (word: string, fields: object) => Promise, dispatch: (type: string, detail: object) => void}} way of the call's
   *   commands, and of its events
   */
  constructor(call, { ask, dispatch }) {
    this.#call = call;
    this.#ask = ask;
    this.#dispatch = dispatch;
  }

  /** Reports go out from now on. */
  begin() { this.#timer = setInterval(() => this.#report(), REPORT_EVERY); }

  /** None any more. */
  stop() { clearInterval(this.#timer); }

  /** What was measured so far was measured of something else. */
  forget() { this.#figures.clear(); }

  /** Says that this device has media, once it has. */
  async tellConnected() {
    if (this.#isReported || this.#call.isOver) return;
    const path = this.#call.usesRoom ? 'sfu' : await this.#linkPath();
    if (!path || this.#isReported || this.#call.isOver) return;
    this.#isReported = true;
    this.#reportedPath = null;
    this.#reportPath(path);
  }

  /** The same once more: the path is another, or the session. */
  tellAgain() {
    this.#isReported = false;
    this.tellConnected();
  }

  /** Takes the last second's figures. */
  measured(statistics) {
    const call = this.#call;
    const { path } = statistics;
    if (path && !call.usesRoom) {
      // A relay that the other side uses may look like any address from here.
      call.link?.tell({ relayed: path.kind === 'relay' });
      this.#reportPath(path.kind === 'relay' || call.peer.relayed ? 'relayed' : 'direct');
    }
    call.path = path && {
      kind: call.usesRoom ? 'sfu' : path.kind === 'relay' || call.peer.relayed ? 'relayed' : 'direct', local: path.local,
      remote: path.remote, protocol: path.protocol,
    };
    const sounds = statistics.receiving.filter(({ kind }) => kind === 'audio');
    const worst = (key) => Math.max(0, ...sounds.map((one) => one[key] ?? 0));
    const rtt = path?.roundTripTime;
    const quality = {
      ...(rtt !== undefined && { rttMilliseconds: Math.round(rtt * 1_000) }),
      lossPercent: Math.round(worst('lossFraction') * 1_000) / 10, jitterMilliseconds: Math.round(worst('jitter') * 1_000),
    };
    if (rtt !== undefined) quality.mos = Math.round(meanOpinionScore(quality) * 100) / 100;
    call.quality = quality;
    this.#figures.set(statistics.at, quality);
    this.dispatch();
  }

  /** Tells how both sides are served, as far as known. */
  dispatch() {
    const { quality, peerQuality, path } = this.#call;
    this.#dispatch('quality', { quality, peerQuality, path });
  }

  // Only what is another path than reported last.
  #reportPath(path) {
    if (!this.#isReported || this.#reportedPath === path) return;
    this.#reportedPath = path;
    this.#ask('connected', { path }).catch((error) => this.#dispatch('error', { error }));
  }

  async #linkPath() {
    const pc = this.#call.link?.peerConnection;
    if (!pc || pc.connectionState !== 'connected') return null;
    const report = await pc.getStats();
    for (const stats of report.values()) {
      if (stats.type !== 'transport') continue;
      const pair = report.get(stats.selectedCandidatePairId);
      const types = [report.get(pair?.localCandidateId), report.get(pair?.remoteCandidateId)].map((one) => one?.candidateType);
      return types.includes('relay') ? 'relayed' : 'direct';
    }
    return 'direct';
  }

  // The mean of what was measured since the last report.
  #report() {
    const all = [...this.#figures.values()];
    this.#figures.clear();
    if (!all.length || this.#call.isOver || this.#call.isOnHold) return;
    const mean = (key) => {
      const known = all.filter((one) => one[key] !== undefined);
      return known.length ? known.reduce((sum, one) => sum + one[key], 0) / known.length : undefined;
    };
    const [rtt, mos] = [mean('rttMilliseconds'), mean('mos')];
    this.#ask('quality', {
      ...(rtt !== undefined && { rttMilliseconds: Math.min(65_535, Math.round(rtt)) }), ...(mos !== undefined && { mos }),
      lossPercent: mean('lossPercent'), jitterMilliseconds: Math.min(65_535, Math.round(mean('jitterMilliseconds'))),
    }).catch(() => {});
  }
}
