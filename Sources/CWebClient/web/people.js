// The people of a room beside their tiles: who is on the stage, who waits for the word, who listens, who waits at the door; what a
// host can do with each. Drawn anew as a whole when something changed, keeping the focus where it was.

import { byID, dressButton, element, hueOf, icon, initials } from './dom.js';
import { strings } from './strings.js';

const nameOf = (participant) => participant?.name || participant?.user || strings.unnamed;

/** The people view of one stay in a room; `tell(sentence)` is told what went wrong. */
export class People {
  #room;
  #tell;
  #opened = null; // whose actions are shown
  #frame = 0;
  #unlisten = new AbortController();

  constructor(room, tell) {
    this.#room = room;
    this.#tell = tell;
    const { signal } = this.#unlisten;
    const types = ['participantJoined', 'participantLeft', 'participantUpdated', 'trackMuted', 'trackPublished',
      'trackUnpublished', 'selfMuted', 'settings', 'waiting', 'rejoined'];
    for (const type of types) room.addEventListener(type, () => this.draw(), { signal });
    this.draw();
  }

  stop() {
    this.#unlisten.abort();
    cancelAnimationFrame(this.#frame);
    byID('people-view').replaceChildren();
    byID('audience').replaceChildren();
  }

  /** Draws soon: many people who come at once are drawn once. */
  draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  get #everybody() { return [this.#room.self, ...this.#room.participants.values()].filter(Boolean); }

  #draw() {
    this.#drawAudience();
    this.#drawBadge();
    const view = byID('people-view');
    const focused = view.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const room = this.#room;
    const isHost = room.role === 'host';
    const { hands } = room.life;
    const people = this.#everybody;
    const stage = people.filter(({ role }) => role !== 'listener');
    const audience = people.filter(({ role }) => role === 'listener');
    view.replaceChildren(...[
      isHost && room.waiting.size ? this.#door() : null,
      isHost ? this.#switches() : null,
      hands.length ? this.#section(strings.handsHeading, hands, 'hand') : null,
      this.#section(strings.stageHeading, stage, 'stage'),
      audience.length ? this.#section(strings.audienceHeading, audience, 'audience') : null,
      this.#own(),
    ].filter(Boolean));
    if (focused) view.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  // Who listens: a strip of initials below the tiles, those with a hand up first.
  #drawAudience() {
    const listeners = this.#everybody.filter(({ role }) => role === 'listener')
      .sort((a, b) => (a.hand ?? Infinity) - (b.hand ?? Infinity));
    const strip = byID('audience');
    strip.hidden = !listeners.length;
    strip.setAttribute('aria-label', strings.audienceLabel(listeners.length));
    strip.replaceChildren(
      element('span.audience-count', { textContent: strings.audienceLabel(listeners.length), aria: { hidden: 'true' } }),
      ...listeners.map((one) => element('span.listener', {
        title: nameOf(one), data: { id: one.id }, aria: { role: 'img', label: this.#describe(one) },
      }, face(one), one.hand ? icon('hand') : null)));
  }

  #drawBadge() {
    const count = this.#room.role === 'host' ? this.#room.waiting.size + this.#room.life.hands.length : 0;
    const badge = byID('people-badge');
    badge.hidden = !count;
    badge.textContent = String(count);
    dressButton(byID('people-button'), 'people', count ? strings.peopleButtonCount(count) : strings.peopleButton);
  }

  #describe(one) {
    const marks = [one.hand && strings.handRaised, one.invited && strings.invitedMark].filter(Boolean);
    return [this.#label(one), ...marks].join(', ');
  }

  #label(one) { return one === this.#room.self ? strings.youNamed(nameOf(one)) : nameOf(one); }

  // Those who wait at the door.
  #door() {
    const waiting = [...this.#room.waiting.values()];
    return element('section', { id: 'door' },
      element('h3', { textContent: strings.waitingHeading(waiting.length) }),
      element('ul.people-list', {}, ...waiting.map((one) => element('li', {},
        element('div.person', {}, face(one), element('span.person-name', { textContent: nameOf(one), dir: 'auto' }),
          this.#button(`admit-${one.id}`, strings.admit, () => this.#moderate('admit', { participant: one.id }),
            strings.admitName(nameOf(one)), 'small strong'),
          this.#button(`deny-${one.id}`, strings.deny, () => this.#moderate('deny', { participant: one.id }),
            strings.denyName(nameOf(one)), 'small'))))),
      waiting.length > 1 ? this.#button('admit-all', strings.admitAll, () => this.#moderate('admit'), null, 'small') : null);
  }

  // What a host does with the room.
  #switches() {
    const { settings } = this.#room;
    const toggle = (key, label, on, action) => {
      const button = this.#button(key, label, () => this.#moderate(action, { on: !on }), null, 'small');
      button.setAttribute('aria-pressed', String(Boolean(on)));
      return button;
    };
    return element('div.switches', { aria: { role: 'group', label: strings.roomControls } },
      toggle('lock', strings.lockRoom, settings.locked, 'lock'),
      toggle('lobby', strings.useLobby, settings.lobby, 'lobby'),
      this.#button('mute-all', strings.muteAll, () => this.#moderate('mute'), null, 'small'),
      this.#button('end-all', strings.endForAll, () => {
        if (confirm(strings.endForAllQuestion)) this.#moderate('end');
      }, null, 'small danger'));
  }

  #section(heading, people, kind) {
    return element('section', { data: { kind } },
      element('h3', { textContent: heading }),
      element(kind === 'hand' ? 'ol.people-list' : 'ul.people-list', {},
        ...people.map((one) => this.#person(one, kind))));
  }

  #person(one, kind) {
    const microphone = one.tracks?.find(({ source }) => source === 'microphone');
    const muted = one.role !== 'listener' && (!microphone || microphone.muted);
    const actions = this.#actions(one);
    const key = `${kind}-${one.id}`;
    const isOpen = this.#opened === key && actions.length > 0;
    const row = element('div.person', {}, face(one),
      element('span.person-name', { textContent: this.#label(one), dir: 'auto' }),
      one.role === 'host' ? element('span.role', { textContent: strings.roles.host }) : null,
      one.invited ? element('span.role', { textContent: strings.invitedMark }) : null,
      one.hand ? mark('hand', strings.handRaised) : null,
      muted ? mark('microphone-off', strings.mutedLabel) : null);
    if (actions.length) {
      const more = this.#button(key, '', () => {
        this.#opened = isOpen ? null : key;
        this.#draw();
      }, strings.actionsFor(nameOf(one)), 'plain');
      more.setAttribute('aria-expanded', String(isOpen));
      more.append(icon('more'));
      row.append(more);
    }
    return element('li', { data: { id: one.id } }, row,
      isOpen ? element('div.actions', { aria: { role: 'group', label: strings.actionsFor(nameOf(one)) } },
        ...actions.map(([name, label, react]) => this.#button(`${key}-${name}`, label, () => {
          this.#opened = null;
          react();
          this.#draw();
        }, null, name === 'kick' || name === 'ban' ? 'small danger' : 'small'))) : null);
  }

  // What this host can do with somebody: [name, words, what it does].
  #actions(one) {
    const room = this.#room;
    if (room.role !== 'host' || one === room.self) return [];
    const { id, user, role } = one;
    const has = (source, muted) => one.tracks?.some((track) => track.source === source && track.muted === muted);
    const act = (action, fields = {}) => () => this.#moderate(action, { participant: id, ...fields });
    const list = [];
    if (role === 'listener') {
      list.push(one.invited ? ['withdraw', strings.withdrawInvitation, act('withdrawInvitation')]
        : ['invite', strings.inviteToSpeak, act('invite')]);
    } else {
      list.push(has('microphone', false) ? ['mute', strings.muteThem, act('mute')]
        : ['unmute', strings.askToUnmute, act('requestUnmute')]);
      if (has('camera', false)) list.push(['video', strings.stopTheirVideo, act('mute', { source: 'camera' })]);
      if (has('screen', false)) list.push(['screen', strings.stopTheirScreen, act('mute', { source: 'screen' })]);
      list.push(['listener', strings.makeListener, act('role', { role: 'listener' })]);
    }
    if (one.hand) list.push(['lower', strings.lowerTheirHand, act('lowerHand')]);
    if (role === 'host') list.push(['speaker', strings.takeHost, act('role', { role: 'speaker' })]);
    else list.push(['host', strings.makeHost, act('role', { role: 'host' })]);
    list.push(['kick', strings.kick, act('kick')], ['ban', strings.ban, () => {
      if (confirm(strings.banQuestion(nameOf(one)))) this.#moderate('ban', { user });
    }]);
    return list;
  }

  // What one can do with the own role.
  #own() {
    if (this.#room.role !== 'speaker') return null;
    return this.#button('step-down', strings.stepDown, () => this.#room.life.stepDown().catch((error) => this.#failed(error)),
      null, 'small');
  }

  #button(key, label, react, name = null, classes = '') {
    const button = element('button', { type: 'button', textContent: label, data: { key }, onclick: react });
    button.classList.add(...classes.split(' ').filter(Boolean));
    if (name) {
      button.setAttribute('aria-label', name);
      button.title = name;
    }
    return button;
  }

  #moderate(action, fields) { this.#room.life.moderate(action, fields).catch((error) => this.#failed(error)); }

  #failed(error) { this.#tell(strings.lifeErrors[error.code] ?? strings.lifeErrors.other); }
}

function face(one) {
  const name = nameOf(one);
  const made = element('span.face', { textContent: initials(name), aria: { hidden: 'true' } });
  made.style.setProperty('--hue', String(hueOf(name)));
  return made;
}

function mark(name, label) {
  return element('span.mark', { title: label }, icon(name), element('span.visually-hidden', { textContent: label }));
}
