// The page's elements: made, found and filled with the language's words. No markup is ever parsed from text.

import { strings } from './strings.js';

/** The element with this id. */
export const byID = (id) => document.getElementById(id);

/**
 * Makes an element.
 * @param {string} name of the tag, with classes after dots: `div.tile.own`
 * @param {object} [properties] set as properties, except `data` (dataset) and `aria` (attributes)
 * @param {...(Node|string)} children
 */
export function element(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split('.');
  const made = document.createElement(tag);
  made.classList.add(...classes);
  const { data, aria, ...plain } = properties;
  Object.assign(made, plain);
  if (data) Object.assign(made.dataset, data);
  for (const [key, value] of Object.entries(aria ?? {})) made.setAttribute(key === 'role' ? key : `aria-${key}`, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const SVG = 'http://www.w3.org/2000/svg';

/** An icon of icons.svg; says nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** Gives a button its icon, its name and, for a switch, whether it is pressed. */
export function dressButton(button, iconName, label, pressed) {
  if (button.dataset.icon !== iconName) {
    button.dataset.icon = iconName;
    button.querySelector('svg')?.remove();
    button.prepend(icon(iconName));
  }
  button.setAttribute('aria-label', label);
  button.title = label;
  if (pressed !== undefined) button.setAttribute('aria-pressed', String(pressed));
}

/** Fills in the words that the markup names: `data-text` and `data-label`. */
export function translate(root = document) {
  for (const node of root.querySelectorAll('[data-text]')) node.textContent = strings[node.dataset.text];
  for (const node of root.querySelectorAll('[data-label]')) {
    node.setAttribute('aria-label', strings[node.dataset.label]);
  }
}

/** Says something to a screen reader, politely. */
export function announce(sentence) { byID('announcer').textContent = sentence; }

/** The first letters of at most two of a name's words. */
export function initials(name) {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : words;
  return chosen.map((word) => [...word][0].toLocaleUpperCase()).join('');
}

/** A colour of its own for each name: a hue, in degrees, always the same. */
export function hueOf(name) {
  let sum = 7;
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)) % 3_600;
  return sum % 360;
}
