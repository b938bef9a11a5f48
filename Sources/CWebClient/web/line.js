// How the connection of a room stands, as the page says it: the chip beside the room's name, and the sentence below it while something
// is wrong, or is well again.

import { byID } from './dom.js';
import { strings } from './strings.js';

/** That all is well again is said for so long, in milliseconds. */
const BACK_TIME = 2_500;

/** The connection of one stay in a room. */
export class Line {
  #room;
  #session;
  #timer = 0;
  #isShuttingDown = false;

  constructor(room, session) {
    this.#room = room;
    this.#session = session;
  }

  /** The server said that it goes away. */
  shutdown() { this.#isShuttingDown = true; }

  /** Draws how it stands now. */
  draw() {
    const media = this.#room.state;
    const signalling = this.#session.state;
    let state = 'connecting';
    if (media === 'recovering') state = 'recovering';
    else if (media === 'connected') state = signalling === 'open' ? 'connected' : 'signalling';
    const chip = byID('connection');
    const before = chip.dataset.state;
    chip.dataset.state = state;
    chip.textContent = {
      connecting: strings.stateConnecting, recovering: strings.stateRecovering, connected: strings.stateConnected,
      signalling: strings.stateSignalling,
    }[state];
    if (state === 'recovering') {
      this.#banner(navigator.onLine ? strings.bannerRecovering : strings.bannerOffline);
    } else if (state === 'signalling') {
      this.#banner(this.#isShuttingDown ? strings.bannerSignallingShutdown : strings.bannerSignalling);
    } else if (state === 'connected') {
      this.#isShuttingDown = false;
      const standing = this.#lacksKey ? strings.noKey : null;
      if (before === 'recovering' || before === 'signalling') {
        this.#banner(strings.bannerBack, true);
        this.#timer = setTimeout(() => this.#banner(standing), BACK_TIME);
      } else if (standing || byID('banner').textContent === strings.noKey) {
        this.#banner(standing);
      }
    }
  }

  /** Says nothing any more. */
  stop() { this.#banner(null); }

  // Whether nobody can be decrypted of those who encrypt.
  get #lacksKey() {
    const { participants, encryption } = this.#room;
    const states = [...participants.values()].map(({ number }) => encryption.stateOf(number));
    return states.includes('undecryptable') && !states.includes('readable');
  }

  #banner(sentence, good = false) {
    clearTimeout(this.#timer);
    const banner = byID('banner');
    banner.hidden = !sentence;
    banner.classList.toggle('good', good);
    if (sentence && banner.textContent !== sentence) banner.textContent = sentence;
  }
}
