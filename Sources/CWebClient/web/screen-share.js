// The own screen in a room: asked for, published with its sound, and taken back, also where the browser's own bar ends it.

/** The screen that one stay in a room shares, or none. */
export class ScreenShare {
  #room;
  #changed;
  #refused;
  /** The track that is shown, or null. */
  track = null;

  /** @param {{changed: () => void, refused: () => void}} told whether a screen is shared is another, or the server did not want it */
  constructor(room, { changed, refused }) {
    this.#room = room;
    this.#changed = changed;
    this.#refused = refused;
  }

  /** Shares what the person chooses, or ends that. */
  async toggle() {
    if (this.track) {
      await this.end();
      return;
    }
    let stream;
    try {
      stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 30 } }, audio: true });
    } catch {
      return; // The person thought better of it.
    }
    const [track] = stream.getVideoTracks();
    const [sound] = stream.getAudioTracks();
    this.track = track;
    track.onended = () => this.end();
    this.#changed();
    try {
      await this.#room.publish('screen', track);
      if (sound) await this.#room.publish('screenAudio', sound);
    } catch (error) {
      console.warn('majlis:', error);
      this.stop();
      this.#refused();
      this.#changed();
    }
  }

  /** Ends it, and tells the others. */
  async end() {
    this.stop();
    this.#changed();
    this.#room.track('screenAudio')?.stop();
    try {
      await this.#room.unpublish('screen');
      await this.#room.unpublish('screenAudio');
    } catch (error) {
      console.warn('majlis:', error);
    }
  }

  /** Ends it where nobody need be told. */
  stop() {
    this.track?.stop();
    this.track = null;
  }
}
