// The people whom somebody calls: those that the link names and those of earlier calls, kept in this browser. Draws a list of them.

import { element, hueOf, icon, initials } from './dom.js';
import { strings } from './strings.js';

const KEPT = 50;

/** The contacts of one user. */
export class Contacts {
  #key;
  #people; // [{id, name}], the last one called first
  /** The users who are there, as far as asked. */
  present = new Set();

  constructor(user, named) {
    this.#key = `majlis.contacts.${user}`;
    let kept = [];
    try { kept = JSON.parse(localStorage.getItem(this.#key)) ?? []; } catch { /* a private window, or not ours */ }
    this.#people = Array.isArray(kept) ? kept.filter((one) => typeof one?.id === 'string') : [];
    for (const id of named) if (!this.#people.some((one) => one.id === id)) this.#people.push({ id, name: '' });
    this.#people = this.#people.filter(({ id }) => id !== user);
  }

  /** Those who are there first. */
  get all() {
    const rank = ({ id }) => (this.present.has(id) ? 0 : 1);
    return [...this.#people].sort((a, b) => rank(a) - rank(b));
  }

  /** The name to show. */
  nameOf(id) { return this.#people.find((one) => one.id === id)?.name || id; }

  /** Somebody was called, or called. */
  met(id, name) {
    const known = this.#people.find((one) => one.id === id);
    const person = { id, name: name || known?.name || '' };
    this.#people = [person, ...this.#people.filter((one) => one !== known)].slice(0, KEPT);
    try { localStorage.setItem(this.#key, JSON.stringify(this.#people)); } catch { /* a private window */ }
  }

  /** Forgets somebody. */
  forget(id) {
    this.#people = this.#people.filter((one) => one.id !== id);
    try { localStorage.setItem(this.#key, JSON.stringify(this.#people)); } catch { /* a private window */ }
  }
}

/** A face with a dot that says whether the person is there. */
export function face(name, isPresent) {
  const made = element('span.face', { aria: { hidden: 'true' } }, initials(name));
  made.style.setProperty('--hue', String(hueOf(name)));
  if (isPresent !== undefined) made.append(element('span.presence', { data: { present: String(isPresent) } }));
  return made;
}

/**
 * Draws people as a list, each with a sentence below the name and buttons.
 * @param {HTMLElement} list
 * @param {{id: string, name: string, note: string, present?: boolean}[]} people
 * @param {{icon: string, label: (name: string) => string, act: (id: string) => void}[]} actions
 */
export function drawPeople(list, people, actions) {
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  list.replaceChildren(...people.map(({ id, key = id, name, note, present }) => {
    const buttons = actions.map(({ icon: picture, label, act }) => {
      const button = element('button.round', {
        type: 'button', title: label(name), aria: { label: label(name) }, data: { key: `${key}-${picture}` },
      }, icon(picture));
      button.onclick = () => act(id);
      return button;
    });
    return element('li', { data: { id } }, face(name, present),
      element('div.entry', {}, element('strong', {}, element('bdi', { textContent: name })),
        element('span.muted-text', { textContent: note })), ...buttons);
  }));
  if (focused) [...list.querySelectorAll('button')].find(({ dataset }) => dataset.key === focused)?.focus();
}

/** How a person who is there, or is not, is spoken of. */
export const presenceNote = (isPresent) => (isPresent ? strings.isPresent : strings.isAway);
