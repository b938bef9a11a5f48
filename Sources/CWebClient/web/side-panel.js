// The panel beside a room's tiles, which shows one of four views: why the picture is as it is, the figures, the people, the messages.

import { byID, dressButton } from './dom.js';
import { drawStatistics } from './panel.js';
import { drawWhy } from './quality.js';
import { strings } from './strings.js';

/** The panel during one stay in a room. */
export class SidePanel {
  #room;
  #nameOf;
  #opened;
  #view = 'statistics'; // or 'why', 'people', 'messages'

  /**
   * @param {Room} room
   * @param {{nameOf: (participant: object) => string, opened: () => void}} page how people are called, and what is to be done when the
   *   messages are shown
   */
  constructor(room, { nameOf, opened }) {
    this.#room = room;
    this.#nameOf = nameOf;
    this.#opened = opened;
  }

  /** Whether it is there. */
  get isOpen() { return !byID('panel').hidden; }
  /** Whether it is there and shows this view. */
  shows(view) { return this.isOpen && this.#view === view; }

  /** Shows this view, or nothing where it is shown. */
  toggle(view) {
    const open = !this.shows(view);
    this.#view = view;
    this.show(open);
  }

  /** Shows the view that was there last, or nothing. */
  show(open) {
    byID('panel').hidden = !open;
    const shows = (view) => this.shows(view);
    dressButton(byID('statistics'), 'statistics', strings.statistics, shows('statistics'));
    byID('statistics').classList.toggle('active', shows('statistics'));
    byID('quality').setAttribute('aria-pressed', String(shows('why')));
    for (const [id, view] of [['people-button', 'people'], ['messages-button', 'messages']]) {
      byID(id).classList.toggle('active', shows(view));
      byID(id).setAttribute('aria-pressed', String(shows(view)));
    }
    byID('panel-heading').textContent = {
      why: strings.whyHeading, people: strings.peopleHeading, messages: strings.messagesHeading,
    }[this.#view] ?? strings.statisticsHeading;
    byID('panel').dataset.view = this.#view;
    byID('panel-body').hidden = this.#view === 'people' || this.#view === 'messages';
    byID('people-view').hidden = this.#view !== 'people';
    byID('messages-view').hidden = this.#view !== 'messages';
    if (shows('messages')) this.#opened();
    this.draw(this.#view);
  }

  /** Draws it anew if it shows this view. */
  draw(view) {
    if (!this.shows(view)) return;
    const room = this.#room;
    const nameOf = (mid) => {
      const participant = room.participants.get(room.slots.get(mid)?.participant);
      return participant && this.#nameOf(participant);
    };
    if (view === 'why') {
      drawWhy(room.quality, { nameOf, sourceOf: (mid) => room.slots.get(mid)?.source });
      return;
    }
    drawStatistics(room.statistics, {
      nameOf, sourceOf: (mid) => room.self?.tracks?.find((track) => track.mid === mid)?.source ?? room.sourceOf(mid) ?? '–',
    });
  }
}
