// What people say without sound: messages, signs that float over a tile, and what somebody is asked: to speak, to unmute.

import { announce, byID, dressButton, element } from './dom.js';
import { strings } from './strings.js';

/** The signs that are offered; others that are received are shown all the same. */
const REACTIONS = ['👏', '👍', '❤️', '😂', '🎉', '🤔'];
/** A sign floats for so long, in milliseconds. */
const REACTION_TIME = 3_500;
/** Messages kept on the page. */
const MESSAGES_KEPT = 500;

const nameOf = (participant) => participant?.name || participant?.user || strings.unnamed;

/** Messages, signs and questions of one stay; `call` is asked to show a tile's sign, to tell, and to unmute. */
export class Talk {
  #room;
  #call;
  #unread = 0;
  #unlisten = new AbortController();

  /**
   * @param {Room} room
   * @param {{tell: (sentence: string) => void, tileOf: (id: string) => Element|undefined, unmute: (source: string) => void,
   *   isReading: () => boolean}} call
   */
  constructor(room, call) {
    this.#room = room;
    this.#call = call;
    const { signal } = this.#unlisten;
    const on = (type, react) => room.addEventListener(type, ({ detail }) => react(detail), { signal });
    on('message', (message) => this.#received(message));
    on('reaction', (reaction) => this.#reacted(reaction));
    on('unmuteRequested', ({ source, by }) => this.#askToUnmute(source, by));
    on('participantUpdated', ({ participant, before }) => {
      if (participant === room.self) this.#selfChanged(participant, before);
      this.#drawReceivers();
    });
    for (const type of ['participantJoined', 'participantLeft', 'rejoined']) on(type, () => this.#drawReceivers());
    byID('message-form').addEventListener('submit', (event) => this.#submit(event), { signal });
    byID('message-text').addEventListener('keydown', (event) => {
      // Enter sends, as everywhere; with Shift it is a new line. Not while an input method composes a word.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      byID('message-form').requestSubmit();
    }, { signal });
    dressButton(byID('message-send'), 'send', strings.sendMessage);
    byID('message-text').placeholder = strings.messagePlaceholder;
    byID('message-text').setAttribute('aria-label', strings.messagePlaceholder);
    byID('message-to').setAttribute('aria-label', strings.messageTo);
    byID('reactions').replaceChildren(...REACTIONS.map((reaction) => {
      const button = element('button.reaction', { type: 'button', textContent: reaction });
      button.setAttribute('aria-label', strings.reactWith(reaction));
      button.addEventListener('click', () => {
        this.showReactions(false);
        byID('react').focus();
        room.life.react(reaction).catch((error) => this.#failed(error));
      }, { signal });
      return button;
    }));
    byID('react').addEventListener('click', () => this.showReactions(byID('reactions').hidden), { signal });
    byID('reactions').addEventListener('keydown', (event) => this.#moveAlong(event), { signal });
    this.showReactions(false);
    this.#drawReceivers();
    this.#drawUnread();
    this.#ask(null);
    if (room.self) this.#selfChanged(room.self, { role: room.role });
  }

  stop() {
    this.#unlisten.abort();
    byID('message-list').replaceChildren();
    byID('message-text').value = '';
    this.showReactions(false);
    this.#ask(null);
  }

  // Messages.

  /** The view was opened: all is read. */
  opened() {
    this.#unread = 0;
    this.#drawUnread();
    byID('message-list').scrollTop = byID('message-list').scrollHeight;
    byID('message-text').focus();
  }

  #drawUnread() {
    const badge = byID('messages-badge');
    badge.hidden = !this.#unread;
    badge.textContent = String(this.#unread);
    dressButton(byID('messages-button'), 'message',
      this.#unread ? strings.messagesUnread(this.#unread) : strings.messagesButton);
  }

  #drawReceivers() {
    const select = byID('message-to');
    const chosen = select.value;
    select.replaceChildren(new Option(strings.everyone, ''),
      ...[...this.#room.participants.values()].map((one) => new Option(nameOf(one), one.id)));
    select.value = this.#room.participants.has(chosen) ? chosen : '';
  }

  async #submit(event) {
    event.preventDefault();
    const field = byID('message-text');
    const text = field.value.trim();
    if (!text) return;
    field.value = '';
    try {
      await this.#room.life.send(text, byID('message-to').value || undefined);
    } catch (error) {
      if (!field.value) field.value = text; // Nothing that was written is lost.
      this.#failed(error);
    }
  }

  #received({ from, to, text }) {
    const { self, participants } = this.#room;
    const isOwn = from === self?.id;
    const name = isOwn ? strings.you : nameOf(participants.get(from));
    const list = byID('message-list');
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    const receiver = to && (to === self?.id ? strings.you : nameOf(participants.get(to)));
    list.append(element('li.message', {},
      element('header', {}, element('strong', { textContent: name, dir: 'auto' }),
        receiver ? element('span.private', { textContent: strings.privately(receiver) }) : null),
      element('p', { textContent: text, dir: 'auto' })));
    list.lastElementChild.classList.toggle('own', isOwn);
    while (list.childElementCount > MESSAGES_KEPT) list.firstElementChild.remove();
    if (atEnd || isOwn) list.scrollTop = list.scrollHeight;
    if (isOwn || this.#call.isReading()) return;
    this.#unread += 1;
    this.#drawUnread();
    this.#call.tell(strings.messageFrom(name, text.length > 80 ? `${text.slice(0, 80)}…` : text));
  }

  // Signs.

  showReactions(open) {
    byID('reactions').hidden = !open;
    dressButton(byID('react'), 'smile', strings.react);
    byID('react').setAttribute('aria-expanded', String(open));
    if (open) byID('reactions').firstElementChild?.focus();
  }

  #moveAlong(event) {
    const buttons = [...byID('reactions').children];
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === 'Escape') {
      this.showReactions(false);
      byID('react').focus();
      event.stopPropagation();
    } else if (step) {
      const along = document.documentElement.dir === 'rtl' && event.key.match(/Left|Right/) ? -step : step;
      const next = (buttons.indexOf(document.activeElement) + along + buttons.length) % buttons.length;
      buttons[next].focus();
      event.preventDefault();
    }
  }

  #reacted({ from, reaction }) {
    const { self, participants } = this.#room;
    const name = from === self?.id ? strings.you : nameOf(participants.get(from));
    announce(strings.personReacts(name, reaction));
    const place = this.#call.tileOf(from === self?.id ? 'self' : from)
      ?? document.querySelector(`#audience [data-id="${CSS.escape(from)}"]`);
    if (!place) return;
    const floating = element('span.floating', { textContent: reaction, aria: { hidden: 'true' } });
    place.append(floating);
    setTimeout(() => floating.remove(), REACTION_TIME);
  }

  // Questions.

  #selfChanged(self, before) {
    const { life } = this.#room;
    if (self.invited && !before.invited) {
      this.#ask(strings.invitedToSpeak, strings.acceptInvitation, () => life.answerInvitation(true),
        () => life.answerInvitation(false));
    } else if (!self.invited && before.invited) {
      this.#ask(null);
    }
    if (self.role === before.role) return;
    const sentence = { host: strings.youAreHost, listener: strings.youAreListener, speaker: strings.youAreSpeaker };
    this.#call.tell(sentence[self.role]);
  }

  #askToUnmute(source, by) {
    const host = this.#room.participants.get(by);
    const sentence = strings.askedToUnmute[source]?.(host ? nameOf(host) : strings.aHost);
    // A screen is chosen by its person: nobody is asked for one.
    if (sentence) this.#ask(sentence, strings.unmuteNow, () => this.#call.unmute(source), () => {});
  }

  // A question with two answers; null takes it away. It is read out, and nobody's focus is taken.
  #ask(sentence, yes, accept, decline) {
    const place = byID('ask');
    place.hidden = !sentence;
    if (!sentence) return place.replaceChildren();
    const answer = (label, react, className) => element(`button.small${className}`, {
      type: 'button', textContent: label, onclick: async () => {
        this.#ask(null);
        try { await react(); } catch (error) { this.#failed(error); }
      },
    });
    place.replaceChildren(element('p', { textContent: sentence }), answer(yes, accept, '.strong'),
      answer(strings.notNow, decline, ''));
    return undefined;
  }

  #failed(error) { this.#call.tell(strings.lifeErrors[error.code] ?? strings.lifeErrors.other); }
}
