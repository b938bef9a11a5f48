// The statistics panel: what a room's figures say, as tables.

import { byID, element } from './dom.js';
import { strings } from './strings.js';

/** Draws one second's figures; `nameOf` says who is on a receive slot, `sourceOf` what a sending section carries. */
export function drawStatistics(statistics, { nameOf, sourceOf }) {
  const body = byID('panel-body');
  if (!statistics?.path) {
    body.replaceChildren(element('p.muted-text', { textContent: strings.noFigures }));
    return;
  }
  const { path } = statistics;
  const facts = [
    [strings.path, `${path.kind === 'relay' ? strings.pathRelay : strings.pathDirect} · ${path.protocol ?? '–'}`],
    [strings.roundTrip, milliseconds(path.roundTripTime)],
    [strings.sent, `${kilobits(path.outgoingBitrate)} kbit/s`],
    [strings.received, `${kilobits(path.incomingBitrate)} kbit/s`],
    [strings.available, path.availableOutgoing ? `${kilobits(path.availableOutgoing)} kbit/s` : '–'],
  ];
  const list = element('dl.facts', {}, ...facts.flatMap(([term, value]) => [
    element('dt', { textContent: term }), element('dd', { textContent: value }),
  ]));
  const { what, size, frames, rate, loss, jitter, roundTrip } = strings.columns;
  const sent = statistics.sending.map((one) => [
    one.rid ? `${sourceOf(one.mid)} ${one.rid}` : sourceOf(one.mid),
    dimensions(one), framesOf(one), kilobits(one.bitrate), percent(one.lossFraction), milliseconds(one.roundTripTime),
  ]);
  const received = statistics.receiving.map((one) => [
    nameOf(one.mid) ?? strings.emptySlot,
    dimensions(one), framesOf(one), kilobits(one.bitrate), percent(one.lossFraction), milliseconds(one.jitter),
  ]);
  const sending = table(strings.sendingNow, [what, size, frames, rate, loss, roundTrip], sent);
  const receiving = table(strings.receivingNow, [what, size, frames, rate, loss, jitter], received);
  body.replaceChildren(list, sending, receiving);
}

function table(caption, columns, rows) {
  return element('table', {},
    element('caption', { textContent: caption }),
    element('thead', {}, element('tr', {}, ...columns.map((name) => (
      element('th', { textContent: name, scope: 'col' })
    )))),
    element('tbody', {}, ...rows.map((cells) => element('tr', {}, ...cells.map((cell, index) => (
      index === 0 ? element('th', { textContent: cell, scope: 'row' }) : element('td', { textContent: cell })
    ))))));
}

const dimensions = ({ width, height }) => (width ? `${width}×${height}` : '–');
const framesOf = ({ kind, framesPerSecond }) => (kind === 'video' ? String(Math.round(framesPerSecond ?? 0)) : '–');
const kilobits = (bits) => String(Math.round((bits ?? 0) / 1_000));
const percent = (fraction) => (fraction === undefined ? '–' : `${(fraction * 100).toFixed(fraction >= 0.1 ? 0 : 1)} %`);
const milliseconds = (seconds) => (seconds === undefined ? '–' : `${Math.round(seconds * 1_000)} ms`);
