// The person's own microphone, camera and screen: asked for, chosen, lost and found again. Knows no room.

import { byID, element, icon } from './dom.js';
import { strings } from './strings.js';

const VIDEO = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };
const AUDIO = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const REMEMBERED = 'majlis.devices';

/**
 * The local devices. Events:
 * - `track` `{source, track, cause}`: another track (or null) is there for `microphone` or `camera`; `cause` is
 *   `chosen`, `lost` (unplugged, and replaced if possible), `on` or `off`
 * - `list`: what is plugged in changed
 */
export class Devices extends EventTarget {
  #chosen = readChosen();
  #tracks = { microphone: null, camera: null };
  #list = [];
  /** Why there is none: `denied`, `missing`, `busy`, `insecure`, or null. */
  problems = { microphone: null, camera: null };

  constructor() {
    super();
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.#devicesChanged());
  }

  get microphone() { return this.#tracks.microphone; }
  get camera() { return this.#tracks.camera; }

  /** Asks for both, and for each alone where both at once was refused. Never throws: see `problems`. */
  async open({ microphone = true, camera = true } = {}) {
    if (!navigator.mediaDevices?.getUserMedia) {
      this.problems = { microphone: 'insecure', camera: 'insecure' };
      return;
    }
    const both = microphone && camera && await this.#capture(['microphone', 'camera']);
    if (!both) {
      if (microphone) await this.#capture(['microphone']);
      if (camera) await this.#capture(['camera']);
    }
    await this.refreshList();
  }

  /** Turns a source on (asking for it) or off (the device is let go, its light goes out). */
  async switch(source, on) {
    if (on === Boolean(this.#tracks[source])) return Boolean(this.#tracks[source]);
    if (on) await this.#capture([source]);
    else this.#take(source, null);
    this.#tell(source, on ? 'on' : 'off');
    if (on) await this.refreshList();
    return Boolean(this.#tracks[source]);
  }

  /** Uses another device from now on. */
  async choose(kind, deviceId) {
    this.#chosen[kind] = deviceId;
    try { localStorage.setItem(REMEMBERED, JSON.stringify(this.#chosen)); } catch { /* a private window */ }
    if (kind === 'speaker') {
      this.dispatchEvent(new CustomEvent('speaker', { detail: { deviceId } }));
    } else if (this.#tracks[kind]) {
      await this.#capture([kind]);
      this.#tell(kind, 'chosen');
    }
  }

  /** The chosen speaker, '' for the system's. */
  get speaker() { return this.#chosen.speaker ?? ''; }

  /** Lets everything go. */
  stop() {
    this.#take('microphone', null);
    this.#take('camera', null);
  }

  /** What is plugged in, of one kind: `[{deviceId, label}]`. */
  available(kind) {
    const wanted = { microphone: 'audioinput', camera: 'videoinput', speaker: 'audiooutput' }[kind];
    return this.#list.filter((device) => device.kind === wanted && device.deviceId !== 'communications');
  }

  async refreshList() {
    this.#list = await navigator.mediaDevices?.enumerateDevices?.().catch(() => []) ?? [];
    this.dispatchEvent(new CustomEvent('list'));
  }

  /** The device in use, or ''. */
  inUse(kind) {
    if (kind === 'speaker') return this.speaker;
    return this.#tracks[kind]?.getSettings().deviceId ?? this.#chosen[kind] ?? '';
  }

  async #capture(sources) {
    const constraints = {};
    if (sources.includes('microphone')) constraints.audio = { ...AUDIO, ...idealDevice(this.#chosen.microphone) };
    if (sources.includes('camera')) constraints.video = { ...VIDEO, ...idealDevice(this.#chosen.camera) };
    try {
      const stream = await navigator.mediaDevices.getUserMedia(constraints);
      for (const source of sources) {
        const [track] = source === 'microphone' ? stream.getAudioTracks() : stream.getVideoTracks();
        this.problems[source] = null;
        this.#take(source, track);
      }
      return true;
    } catch (error) {
      for (const source of sources) {
        this.problems[source] = problemOf(error);
        this.#take(source, null);
      }
      return false;
    }
  }

  #take(source, track) {
    const old = this.#tracks[source];
    if (old) {
      old.onended = null;
      old.stop();
    }
    this.#tracks[source] = track;
    if (track) {
      if (source === 'camera') track.contentHint = 'motion';
      track.onended = () => this.#lost(source);
    }
  }

  async #lost(source) {
    this.#take(source, null);
    this.#chosen[source] = undefined;
    await this.#capture([source]);
    this.#tell(source, 'lost');
    await this.refreshList();
  }

  // A track whose device is gone does not end in every browser: the list says it too.
  async #devicesChanged() {
    await this.refreshList();
    for (const source of ['microphone', 'camera']) {
      const id = this.#tracks[source]?.getSettings().deviceId;
      if (id && !this.available(source).some((device) => device.deviceId === id)) await this.#lost(source);
    }
  }

  #tell(source, cause) {
    const track = this.#tracks[source];
    this.dispatchEvent(new CustomEvent('track', { detail: { source, track, cause } }));
  }
}

/** The sentence that says why a microphone or camera is not there, or null when nothing is wrong. */
export function sentenceFor({ microphone, camera }) {
  if (microphone === 'insecure') return strings.insecure;
  if (microphone === 'denied' && camera === 'denied') return strings.deniedBoth;
  if (microphone && camera && microphone === 'missing' && camera === 'missing') return strings.missingBoth;
  const named = { denied: 'denied', missing: 'missing', busy: 'busy' };
  if (microphone) return strings[`${named[microphone]}Microphone`];
  if (camera) return strings[`${named[camera]}Camera`];
  return null;
}

/** Fills a place with one picker for each kind of device, and keeps them up to date. */
export function showPickers(container, devices) {
  const kinds = ['microphone', 'camera'];
  if ('setSinkId' in HTMLMediaElement.prototype) kinds.push('speaker');
  const draw = () => {
    const focused = document.activeElement?.id;
    container.replaceChildren(...kinds.map((kind) => picker(kind, container.id, devices)));
    if (focused) byID(focused)?.focus();
  };
  devices.addEventListener('list', draw);
  devices.addEventListener('track', draw);
  draw();
}

function picker(kind, prefix, devices) {
  const found = devices.available(kind);
  const select = element('select', { id: `${prefix}-${kind}`, disabled: found.length === 0 });
  const inUse = devices.inUse(kind);
  if (found.length === 0) {
    select.append(new Option(kind === 'speaker' ? strings.systemDefault : strings.noDevice, ''));
  }
  if (kind === 'speaker' && found.length > 0 && !found.some((device) => device.deviceId === 'default')) {
    select.append(new Option(strings.systemDefault, ''));
  }
  found.forEach((device, index) => {
    const label = device.label || strings.deviceNumber(strings[kind], index + 1);
    select.append(new Option(label, device.deviceId, false, device.deviceId === inUse));
  });
  select.onchange = () => devices.choose(kind, select.value);
  return element('label.device', { htmlFor: select.id },
    icon(kind), element('span.visually-hidden', { textContent: strings[kind] }), select);
}

function idealDevice(deviceId) { return deviceId ? { deviceId: { ideal: deviceId } } : {}; }

function problemOf(error) {
  switch (error.name) {
    case 'NotAllowedError': case 'SecurityError': return 'denied';
    case 'NotReadableError': case 'AbortError': return 'busy';
    default: return 'missing';
  }
}

function readChosen() {
  try { return JSON.parse(localStorage.getItem(REMEMBERED)) ?? {}; } catch { return {}; }
}
