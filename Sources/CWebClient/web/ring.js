// The sounds of a telephone, made of sine waves: ringing, the tone that the other side rings, and the end. No file is played.

/** Patterns: the frequencies in hertz of each stroke, its beginning and length in seconds, and after how long all of it repeats. */
const PATTERNS = {
  // Three rising strokes, twice, and a pause.
  ring: {
    every: 3,
    strokes: [0, 0.9].flatMap((begin) => [[587.33], [739.99], [880]].map((tones, index) => ({
      tones, begin: begin + index * 0.18, length: 0.24,
    }))),
  },
  // ITU-T E.180: 425 Hz, one second on and four off.
  ringBack: { every: 5, strokes: [{ tones: [425], begin: 0, length: 1 }] },
  // A soft sign that another call waits.
  waiting: { every: 6, strokes: [{ tones: [440], begin: 0, length: 0.2 }, { tones: [440], begin: 0.35, length: 0.2 }] },
  busy: { every: 1, times: 3, strokes: [{ tones: [425], begin: 0, length: 0.5 }] },
  end: { every: 1, times: 1, strokes: [{ tones: [392], begin: 0, length: 0.14 }, { tones: [293.66], begin: 0.16, length: 0.22 }] },
};
const LOUDNESS = { ring: 0.22, ringBack: 0.1, waiting: 0.08, busy: 0.1, end: 0.1 };
/** A stroke begins and ends softly, in seconds, so that nothing clicks. */
const EDGE = 0.02;

/** Plays one pattern at a time. A browser that does not allow sound before the page was touched stays silent. */
export class Ringer {
  #context = null;
  #playing = null;
  #timer = 0;
  #gain = null;

  /** The pattern that plays, or null. */
  get playing() { return this.#playing; }

  /** Begins a pattern; the one before ends at once. */
  play(name) {
    if (this.#playing === name) return;
    this.stop();
    const { every, times = Infinity } = PATTERNS[name];
    this.#playing = name;
    let count = 0;
    const round = () => {
      if (count >= times) return this.stop();
      count += 1;
      this.#strike(name);
      this.#timer = setTimeout(round, every * 1_000);
      return undefined;
    };
    round();
    if (name === 'ring') navigator.vibrate?.([400, 200, 400]);
  }

  /** Silence, at once. */
  stop() {
    clearTimeout(this.#timer);
    if (this.#playing === 'ring') navigator.vibrate?.(0);
    this.#playing = null;
    this.#gain?.disconnect();
    this.#gain = null;
  }

  #strike(name) {
    try {
      this.#context ??= new AudioContext();
      if (this.#context.state === 'suspended') this.#context.resume().catch(() => {});
    } catch {
      return; // No sound device.
    }
    const context = this.#context;
    if (!this.#gain) {
      this.#gain = context.createGain();
      this.#gain.connect(context.destination);
    }
    const now = context.currentTime;
    for (const { tones, begin, length } of PATTERNS[name].strokes) {
      const envelope = context.createGain();
      envelope.connect(this.#gain);
      envelope.gain.setValueAtTime(0, now + begin);
      envelope.gain.linearRampToValueAtTime(LOUDNESS[name] / tones.length, now + begin + EDGE);
      envelope.gain.setValueAtTime(LOUDNESS[name] / tones.length, now + begin + length - EDGE);
      envelope.gain.linearRampToValueAtTime(0, now + begin + length);
      for (const frequency of tones) {
        const tone = new OscillatorNode(context, { frequency });
        tone.connect(envelope);
        tone.start(now + begin);
        tone.stop(now + begin + length);
      }
    }
  }
}
