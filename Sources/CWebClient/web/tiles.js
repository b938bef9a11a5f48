// The people of a call as tiles: one fills the place, more share it. Where somebody's picture comes by another connection, the old one
// stays until the new one shows something.

import { element, hueOf, icon, initials } from './dom.js';
import { strings } from './strings.js';

/** The tiles of one call, in a place of the page. `showed(id)` is told the first time that a picture of somebody is seen. */
export class Tiles {
  #place;
  #showed;
  #tiles = new Map(); // id → tile

  constructor(place, showed) {
    this.#place = place;
    this.#showed = showed;
  }

  /** Draws these people and no others; as in `OneToOneCall.people`. */
  draw(people) {
    const ids = new Set(people.map(({ id }) => id));
    for (const [id, tile] of this.#tiles) {
      if (ids.has(id)) continue;
      tile.element.remove();
      this.#tiles.delete(id);
    }
    for (const person of people) {
      let tile = this.#tiles.get(person.id);
      if (!tile) {
        tile = new Tile(person.id, () => this.#showed(person.id));
        this.#tiles.set(person.id, tile);
        this.#place.append(tile.element);
      }
      tile.draw(person);
    }
    this.#place.dataset.count = String(Math.min(people.length, 5));
  }

  clear() { this.draw([]); }
}

class Tile {
  #showed;
  #video = null;
  #avatar = element('span.avatar', { aria: { hidden: 'true' } });
  #name = element('span.tile-name', { dir: 'auto' });
  #muted = element('span.tile-muted', { hidden: true, aria: { role: 'img', label: strings.mutedLabel } }, icon('microphone-off'));
  #held = element('span.tile-held', { hidden: true, aria: { role: 'img', label: strings.callOnHold } }, icon('pause'));

  constructor(id, showed) {
    this.#showed = showed;
    this.element = element('article.person-tile', { data: { key: id } },
      element('div.tile-empty', {}, this.#avatar), element('div.tile-label', {}, this.#held, this.#muted, this.#name));
  }

  draw({ name, video, cameraOn, microphoneOn, isOnHold }) {
    if (this.#name.textContent !== name) {
      this.#name.textContent = name;
      this.#avatar.textContent = initials(name);
      this.element.setAttribute('aria-label', name);
      this.element.style.setProperty('--hue', String(hueOf(name)));
    }
    this.#held.hidden = !isOnHold;
    this.#muted.hidden = microphoneOn || Boolean(isOnHold);
    this.element.classList.toggle('on-hold', Boolean(isOnHold));
    this.element.classList.toggle('has-picture', cameraOn && Boolean(video));
    if (video && this.#video?.srcObject?.getVideoTracks()[0] !== video) this.#show(video);
  }

  #show(track) {
    const fresh = element('video', { autoplay: true, muted: true, playsInline: true, srcObject: new MediaStream([track]) });
    const old = this.#video;
    this.#video = fresh;
    this.element.querySelector('.tile-label').before(fresh);
    const seen = () => {
      if (this.#video === fresh) for (const video of this.element.querySelectorAll('video')) if (video !== fresh) video.remove();
      this.#showed();
    };
    if (fresh.requestVideoFrameCallback) fresh.requestVideoFrameCallback(seen);
    else fresh.onloadeddata = seen;
    // What was replaced before it showed anything is not waited for.
    if (old && !old.videoWidth) old.remove();
    fresh.play().catch(() => {});
  }
}
