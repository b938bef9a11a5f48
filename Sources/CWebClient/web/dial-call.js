// The page while in a call: who is seen and heard, how long and how well, and the buttons. One of it for each call.

import { announce, byID, dressButton, element, icon } from './dom.js';
import { Bars, barsOfScore } from './quality.js';
import { Sound } from './sound.js';
import { strings } from './strings.js';
import { Tiles } from './tiles.js';

// A number with its unit reads from left to right, also among words that do not.
const isolated = (text) => `\u2066${text}\u2069`;

/** Minutes and seconds, hours before them where there are any. */
export function clock(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1_000));
  const two = (number) => String(number).padStart(2, '0');
  const minutes = `${Math.floor(seconds / 60) % 60}`;
  const hours = Math.floor(seconds / 3_600);
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** One call on the screen. `add()` is called when the person wants somebody else in it. */
export class CallScreen {
  #call;
  #devices;
  #tell;
  #tiles;
  #sound;
  #bars = new Bars();
  #timer = 0;
  #connection = 'connecting';
  #unlisten = new AbortController();

  constructor({ call, devices, tell, add, openSettings }) {
    this.#call = call;
    this.#devices = devices;
    this.#tell = tell;
    this.#tiles = new Tiles(byID('people-tiles'), () => { call.timing.firstFrame ??= performance.now(); });
    this.#sound = new Sound(byID('audio'), () => { byID('tap-to-hear').hidden = false; });
    const { signal } = this.#unlisten;
    const on = (target, type, react) => target.addEventListener(type, ({ detail }) => react(detail ?? {}), { signal });
    on(call, 'state', () => this.#stateChanged());
    on(call, 'media', () => this.draw());
    on(call, 'moved', () => this.draw());
    on(call, 'hold', () => this.#holdChanged());
    on(call, 'connection', ({ state }) => {
      this.#connection = state;
      this.#drawStatus();
    });
    on(call, 'quality', () => this.#drawQuality());
    on(call, 'error', ({ error }) => console.warn('majlis:', error));
    on(devices, 'track', ({ source, track, cause }) => this.#trackChanged(source, track, cause));
    on(devices, 'speaker', ({ deviceId }) => this.#sound.setSpeaker(deviceId));
    const click = (id, react) => byID(id).addEventListener('click', react, { signal });
    click('microphone', () => this.#toggleMicrophone());
    click('camera', () => this.#toggleCamera());
    click('hold', () => this.#toggleHold());
    click('add', add);
    click('call-settings', openSettings);
    click('hang-up', () => call.hangUp());
    click('call-quality', () => this.#showFigures(byID('call-figures').hidden));
    click('tap-to-hear', () => {
      byID('tap-to-hear').hidden = true;
      this.#sound.playAll();
    });
    window.addEventListener('keydown', (event) => this.#keyPressed(event), { signal });
    byID('call-quality').replaceChildren(this.#bars.element);
    byID('call-quality').hidden = true;
    this.#showFigures(false);
    if (devices.speaker) this.#sound.setSpeaker(devices.speaker);
    this.#timer = setInterval(() => this.#drawTime(), 500);
    this.#stateChanged();
    byID('call-name').focus();
  }

  /** Looks at an invitation of somebody else into this call. */
  guest(guest) {
    const { signal } = this.#unlisten;
    guest.addEventListener('state', () => {
      if (guest.state === 'ended') {
        const sentence = strings.callEnds[guest.outcome.reason];
        if (guest.outcome.by !== 'caller' && sentence) this.#tell(`${nameOf(guest)}: ${sentence}`);
      }
      this.#drawGuests();
    }, { signal });
    this.#drawGuests();
  }

  /** No longer on the screen. */
  stop() {
    this.#unlisten.abort();
    clearInterval(this.#timer);
    this.#sound.stop();
    this.#tiles.clear();
    byID('self-video').srcObject = null;
    byID('guests').replaceChildren();
    byID('call-banner').hidden = true;
    byID('tap-to-hear').hidden = true;
  }

  #stateChanged() {
    const { state } = this.#call;
    if (state === 'active') announce(strings.callConnectedWith(nameOf(this.#call)));
    this.draw();
    this.#drawTime();
  }

  /** Draws it anew. */
  draw() {
    const call = this.#call;
    const isAnswered = call.state === 'connecting' || call.state === 'active';
    const people = call.people;
    byID('call-name').textContent = people.length > 1 ? people.map(({ name }) => name).join(', ') : nameOf(call);
    document.title = `${nameOf(call)} · ${strings.appName}`;
    this.#tiles.draw(isAnswered ? people : people.map((one) => ({ ...one, video: null, microphoneOn: true })));
    byID('people-tiles').classList.toggle('calling', !isAnswered);
    if (isAnswered) this.#sound.play(call.sounds);
    byID('add').hidden = !isAnswered;
    byID('people-tiles').classList.toggle('on-hold', call.holds);
    byID('hold').hidden = call.state !== 'active';
    dressButton(byID('hold'), call.holds ? 'play' : 'pause', call.holds ? strings.resumeCall : strings.holdCall, call.holds);
    this.#drawSelf();
    this.#drawGuests();
    this.#drawStatus();
  }

  #drawStatus() {
    const call = this.#call;
    const status = byID('call-status');
    const told = {
      inviting: strings.callCalling, ringing: strings.callRinging, connecting: strings.stateConnecting, active: this.#heldNow(),
    }[call.state] ?? '';
    if (status.textContent !== told) status.textContent = told;
    const isLost = this.#connection === 'recovering' && call.state === 'active';
    byID('call-banner').hidden = !isLost;
    if (isLost) byID('call-banner').textContent = navigator.onLine ? strings.callRecovering : strings.bannerOffline;
  }

  // Who has the call on hold.
  #heldNow() {
    if (this.#call.holds) return strings.callOnHold;
    return this.#call.people.filter(({ isOnHold }) => isOnHold).map(({ name }) => strings.callHeldBy(name)).join(' · ');
  }

  #holdChanged() {
    announce(this.#heldNow() || strings.callGoesOn);
    this.draw();
  }

  #drawTime() {
    const { startedAt, state } = this.#call;
    const time = byID('call-time');
    time.hidden = !startedAt || state !== 'active';
    if (!time.hidden) time.textContent = clock(Date.now() - startedAt);
  }

  #drawSelf() {
    const call = this.#call;
    const { camera, microphone } = this.#devices;
    const video = byID('self-video');
    if ((video.srcObject?.getTracks()[0] ?? null) !== camera) {
      video.srcObject = camera ? new MediaStream([camera]) : null;
      if (camera) video.play().catch(() => {});
    }
    byID('self').hidden = !camera;
    const silent = !microphone || call.isMuted('microphone');
    dressButton(byID('microphone'), silent ? 'microphone-off' : 'microphone',
      silent ? strings.unmuteMicrophone : strings.muteMicrophone, silent);
    dressButton(byID('camera'), camera ? 'camera' : 'camera-off', camera ? strings.stopCamera : strings.startCamera, !camera);
  }

  #drawGuests() {
    byID('guests').replaceChildren(...this.#call.guests
      .filter(({ state }) => state === 'inviting' || state === 'ringing')
      .map((guest) => {
        const cancel = element('button.plain', { type: 'button', aria: { label: strings.cancelCallOf(nameOf(guest)) } }, icon('close'));
        cancel.onclick = () => guest.hangUp();
        return element('li', {}, element('span', { textContent: strings.callRingingName(nameOf(guest)) }), cancel);
      }));
  }

  #drawQuality() {
    const { quality, path } = this.#call;
    const bars = barsOfScore(quality?.mos);
    this.#bars.show(bars);
    byID('call-quality').hidden = !bars;
    byID('call-quality').setAttribute('aria-label', strings.qualityOf(strings.qualityLevels[bars]));
    byID('call-figures').dataset.path = path?.kind ?? '';
    if (!byID('call-figures').hidden) this.#drawFigures();
  }

  #showFigures(open) {
    byID('call-figures').hidden = !open;
    byID('call-quality').setAttribute('aria-expanded', String(open));
    if (open) this.#drawFigures();
  }

  // What this device measures, and what the other says of itself.
  #drawFigures() {
    const { quality, peerQuality, path } = this.#call;
    const both = (key, unit) => {
      const [own, theirs] = [quality, peerQuality].map((one) => {
        const value = one?.[key];
        return value === undefined ? '–' : isolated(`${Math.round(value * 10) / 10}${unit}`);
      });
      return strings.youAndThem(own, theirs);
    };
    const rows = [
      [strings.path, path ? `${strings.callPaths[path.kind]}${path.protocol ? ` · ${isolated(path.protocol.toUpperCase())}` : ''}` : '–'],
      [strings.callCandidates, path ? isolated(`${path.local ?? '–'} / ${path.remote ?? '–'}`) : '–'],
      [strings.soundQuality, both('mos', '')], [strings.roundTrip, both('rttMilliseconds', ' ms')],
      [strings.lossBothWays, both('lossPercent', ' %')], [strings.jitterBothWays, both('jitterMilliseconds', ' ms')],
    ];
    byID('call-figures').replaceChildren(element('dl.facts', {}, ...rows.flatMap(([term, value]) => [
      element('dt', { textContent: term }), element('dd', { textContent: value }),
    ])));
  }

  async #toggleMicrophone() {
    const call = this.#call;
    if (!this.#devices.microphone) {
      await call.mute('microphone', false);
      if (!await this.#devices.switch('microphone', true)) this.#tell(strings.deniedMicrophone);
    } else {
      await call.mute('microphone', !call.isMuted('microphone'));
    }
    this.#drawSelf();
  }

  async #toggleHold() {
    try {
      await this.#call.hold(!this.#call.holds);
    } catch (error) {
      this.#tell(strings.callErrors[error.code] ?? strings.holdFailed);
    }
  }

  // The camera is let go while it is off, so that its light goes out.
  async #toggleCamera() {
    const on = !this.#devices.camera;
    if (await this.#devices.switch('camera', on) !== on) this.#tell(strings.deniedCamera);
  }

  async #trackChanged(source, track, cause) {
    await this.#call.replaceTrack(source, track);
    if (cause === 'lost') this.#tell(strings[`${source}${track ? 'Lost' : 'Gone'}`]);
    this.#drawSelf();
  }

  // Control or Command with D and E, as in a room; Escape closes what is open.
  #keyPressed(event) {
    if (event.key === 'Escape') this.#showFigures(false);
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    const react = { d: () => this.#toggleMicrophone(), e: () => this.#toggleCamera() }[event.key.toLowerCase()];
    if (!react) return;
    event.preventDefault();
    react();
  }
}

/** The other side's name. */
export const nameOf = (call) => call.user.name || call.user.id;
