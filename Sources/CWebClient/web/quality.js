// How good the connection is, as bars with words, and the panel that says why each picture and sound is as it is: what the
// server's `quality` message tells (docs/protocol.md).

import { byID, element } from './dom.js';
import { strings } from './strings.js';

/** Mean opinion scores (ITU-T G.107) at and above which there are 4, 3 and 2 bars; below, one. */
const SCORES = [4.1, 3.7, 3.1];
/** Loss in percent at and above which a picture has 3, 2 and 1 bars. */
const LOSSES = [2, 5, 10];
/** Statuses of a slot (docs/protocol.md): nothing is seen although something is sent, nothing is sent or wanted, and a picture
 *  is there. One that is not known here is judged by whether there is a layer. */
const POOR = new Set(['frozen', 'awaitingKeyFrame', 'unsupportedCodec', 'paused']);
const IDLE = new Set(['hidden', 'publisherSilent']);
const SHOWING = new Set(['forwarding', 'lowerLayer', 'switchingLayer', 'limited']);

// A number with its unit reads from left to right, also among words that do not.
const isolated = (text) => `\u2066${text}\u2069`;

/** The bars of a score, 1 to 4; 0 when nothing is known. */
export function barsOfScore(mos) {
  if (mos === undefined || mos === null) return 0;
  const place = SCORES.findIndex((least) => mos >= least);
  return place < 0 ? 1 : 4 - place;
}

/** The bars of what one slot brings, 1 to 4; 0 when nothing is on its way. */
export function barsOfSlot({ status, mos, lossPercent, layer }) {
  if (POOR.has(status)) return 1;
  if (IDLE.has(status) || (!SHOWING.has(status) && layer === undefined)) return 0;
  if (mos !== undefined) return barsOfScore(mos);
  const bars = 4 - LOSSES.filter((least) => (lossPercent ?? 0) >= least).length;
  return status === 'lowerLayer' || status === 'limited' ? Math.min(bars, 3) : bars;
}

/** The bars of each participant, by what of theirs is received: participant id → 1 to 4. */
export function barsOfParticipants(quality, slots) {
  const bars = new Map();
  for (const told of quality.slots) {
    const { participant } = slots.get(told.mid) ?? {};
    const own = barsOfSlot(told);
    if (participant && own) bars.set(participant, Math.min(own, bars.get(participant) ?? 4));
  }
  return bars;
}

/** The slots whose pictures the path does not carry: mid → the server's reason. */
export function pausedSlots(quality) {
  return new Map(quality.slots.filter(({ status }) => status === 'paused').map(({ mid, reason }) => [mid, reason]));
}

/** Four bars; `show(0)` hides them. */
export class Bars {
  element = element('span.bars', { hidden: true, aria: { role: 'img' } },
    ...[1, 2, 3, 4].map(() => element('i')));

  show(bars, label = strings.qualityOf(strings.qualityLevels[bars])) {
    this.element.hidden = !bars;
    if (!bars || this.element.dataset.bars === String(bars)) return;
    this.element.dataset.bars = String(bars);
    this.element.setAttribute('aria-label', label);
    this.element.title = label;
  }
}

/** Draws the panel; `nameOf` says who is on a receive slot. */
export function drawWhy(quality, { nameOf, sourceOf }) {
  const body = byID('panel-body');
  if (!quality) {
    body.replaceChildren(element('p.muted-text', { textContent: strings.noFigures }));
    return;
  }
  const { mos, rttMilliseconds, receiving, sending } = quality;
  const both = (unit, key) => strings.bothWays(
    isolated(`${receiving[key]} ${unit}`), isolated(`${sending[key]} ${unit}`));
  const facts = [
    [strings.soundQuality, mos === undefined ? '–' : `${strings.qualityLevels[barsOfScore(mos)]} (${mos.toFixed(1)})`],
    [strings.roundTrip, rttMilliseconds === undefined ? '–' : isolated(`${rttMilliseconds} ms`)],
    [strings.lossBothWays, both('%', 'lossPercent')],
    [strings.jitterBothWays, both('ms', 'jitterMilliseconds')],
    [strings.rateBothWays, both('kbit/s', 'kilobitsPerSecond')],
  ];
  const { estimateKilobitsPerSecond: estimate } = receiving;
  if (estimate !== undefined) facts.push([strings.estimate, isolated(`${estimate} kbit/s`)]);
  body.replaceChildren(
    element('dl.facts', {}, ...facts.flatMap(([term, value]) => [
      element('dt', { textContent: term }), element('dd', { textContent: value }),
    ])),
    quality.slots.length
      ? element('ul.why', {}, ...quality.slots.map((slot) => drawSlot(slot, nameOf(slot.mid), sourceOf(slot.mid))))
      : element('p.muted-text', { textContent: strings.nothingReceived }),
  );
}

function drawSlot(slot, name, source) {
  const bars = new Bars();
  bars.show(barsOfSlot(slot));
  const figures = [
    slot.height !== undefined && isolated(`${slot.height}p`),
    slot.layer !== undefined && source !== 'microphone' && strings.layer(slot.layer + 1),
    slot.temporalLayer !== undefined && strings.fewerFrames,
    isolated(`${slot.kilobitsPerSecond} kbit/s`),
    slot.lossPercent !== undefined && strings.lost(isolated(`${slot.lossPercent} %`)),
    slot.neededKilobitsPerSecond !== undefined && strings.needs(isolated(`${slot.neededKilobitsPerSecond} kbit/s`)),
  ].filter(Boolean).join(' · ');
  return element('li', { data: { mid: slot.mid, status: slot.status } },
    element('header', {}, element('strong', { textContent: name ?? strings.emptySlot, dir: 'auto' }),
      element('span.muted-text', { textContent: strings.sources[source] ?? '' }), bars.element),
    element('p', { textContent: figures }),
    // The server's sentence, in English whatever the page's language.
    element('p.muted-text', { textContent: slot.reason, lang: 'en', dir: 'ltr' }));
}
