// The page while in a room: its tiles, its buttons, and what is said of who comes and goes. Sound, sizes, the screen, the connection and the
// panel are each a file of their own.

import { showPickers } from './devices.js';
import { announce, byID, dressButton, element } from './dom.js';
import { Line } from './line.js';
import { People } from './people.js';
import { Bars, barsOfParticipants, barsOfScore, pausedSlots } from './quality.js';
import { ScreenShare } from './screen-share.js';
import { SidePanel } from './side-panel.js';
import { SlotSound } from './slot-sound.js';
import { SlotWishes } from './slot-wishes.js';
import { SpeakerRings } from './speakers.js';
import { Stage } from './stage.js';
import { strings } from './strings.js';
import { Talk } from './talk.js';

const LEVELS_INTERVAL = 120;
const TOAST_TIME = 5_000;
/** More toasts than these would cover the room. */
const TOASTS = 3;
/** In a room of more people nobody is told of each who comes and goes. */
const FEW_PEOPLE = 12;

/** One stay in a room. `ended(reason)` is called once, when it is over. */
export class Call {
  #session;
  #room;
  #devices;
  #ended;
  #stage;
  #rings;
  #sound;
  #wishes;
  #screen;
  #line;
  #panel;
  #timers = [];
  #paused = new Map(); // mid → why
  #bars = new Bars();
  #people;
  #talk;
  #unlisten = new AbortController();

  constructor({ session, room, devices, ended }) {
    this.#session = session;
    this.#room = room;
    this.#devices = devices;
    this.#ended = ended;
    this.#stage = new Stage(() => this.#wishes.changed());
    this.#wishes = new SlotWishes(room, this.#stage, (id) => this.#obstacleOf(id) === null);
    this.#sound = new SlotSound(byID('audio'), () => { byID('tap-to-hear').hidden = false; });
    if (devices.speaker) this.#sound.setSpeaker(devices.speaker);
    this.#screen = new ScreenShare(room, {
      changed: () => this.#drawSelf(), refused: () => this.#toast(strings.screenRefused),
    });
    this.#line = new Line(room, session);
    this.#panel = new SidePanel(room, { nameOf, opened: () => this.#talk.opened() });
    this.#rings = new SpeakerRings(this.#stage, (id) => (id === room.self?.id ? 'self' : id));
    this.#people = new People(room, (sentence) => this.#toast(sentence));
    this.#talk = new Talk(room, {
      tell: (sentence) => this.#toast(sentence),
      tileOf: (id) => this.#stage.find(id)?.element,
      unmute: (source) => (source === 'microphone' ? this.#unmuteMicrophone() : this.#devices.switch(source, true)),
      isReading: () => this.#panel.shows('messages'),
    });
    this.#listen();
    this.#dress();
    this.#roleChanged();
    byID('room-name').textContent = room.name;
    const lock = byID('encrypted');
    lock.hidden = !room.encryption.isOn;
    lock.title = strings.encrypted;
    lock.setAttribute('aria-label', strings.encrypted);
    document.title = `${room.name} · ${strings.appName}`;
    this.#drawEverything();
    this.#line.draw();
    announce(strings.joinedRoom(room.name));
    this.#timers.push(setInterval(() => this.#showLevels(), LEVELS_INTERVAL));
  }

  #listen() {
    const { signal } = this.#unlisten;
    const on = (target, type, react) => target.addEventListener(
      type, (event) => react(event instanceof CustomEvent ? event.detail : event), { signal });
    const room = this.#room;
    on(room, 'participantJoined', ({ participant }) => {
      this.#drawParticipant(participant);
      this.#drawPeople();
      if (room.participants.size < FEW_PEOPLE) this.#toast(strings.personJoined(nameOf(participant)));
    });
    on(room, 'participantUpdated', ({ participant, before }) => {
      if (participant !== room.self) {
        this.#drawParticipant(participant);
        this.#drawPeople();
        if (participant.hand && !before.hand && room.role === 'host') this.#toast(strings.personRaisesHand(nameOf(participant)));
      } else {
        if (participant.role !== before.role) this.#roleChanged();
        this.#drawSelf();
      }
    });
    on(room, 'selfMuted', ({ source, muted, by }) => {
      this.#drawSelf();
      if (muted && by !== undefined && room.role !== 'listener') this.#toast(strings.mutedByHost[source]);
      if (muted && by !== undefined && source === 'camera') this.#devices.switch('camera', false);
    });
    on(room, 'waiting', ({ person, state }) => {
      if (state === 'waiting') this.#toast(strings.personWaits(nameOf(person)));
    });
    on(room, 'settings', ({ settings }) => this.#drawLocked(settings));
    on(room, 'participantLeft', ({ participant, reason }) => {
      this.#stage.remove(participant.id);
      this.#stage.remove(`${participant.id}/screen`);
      this.#drawPeople();
      const dropped = reason === 'timedOut' || reason === 'failed';
      if (reason !== 'replaced' && room.participants.size < FEW_PEOPLE) {
        this.#toast(dropped ? strings.personDropped(nameOf(participant)) : strings.personLeft(nameOf(participant)));
      }
    });
    for (const type of ['trackPublished', 'trackUnpublished', 'trackMuted']) {
      on(room, type, ({ participant }) => this.#drawParticipant(participant));
    }
    on(room, 'recording', () => this.#drawRecording());
    on(room, 'slots', ({ slots }) => this.#slotsChanged(slots));
    on(room, 'encryption', () => {
      for (const participant of room.participants.values()) this.#drawParticipant(participant);
      this.#line.draw();
      this.#wishes.changed();
    });
    on(room, 'rejoined', () => this.#drawEverything());
    on(room, 'connection', () => this.#line.draw());
    on(room, 'statistics', () => this.#panel.draw('statistics'));
    on(room, 'speakers', ({ speakers }) => this.#rings.take(speakers));
    on(room, 'quality', ({ quality }) => this.#drawQuality(quality));
    on(room, 'refused', ({ source, reason }) => {
      if (source && reason === 'notPermitted') this.#toast(strings.notPermitted(strings.sources[source]));
    });
    on(room, 'error', ({ error }) => console.warn('majlis:', error));
    on(room, 'left', ({ reason }) => this.#finish(reason));
    on(this.#session, 'state', () => {
      if (this.#session.state !== 'open') this.#rings.forget();
      this.#line.draw();
    });
    on(this.#session, 'shutdown', () => this.#line.shutdown());
    on(document, 'visibilitychange', () => this.#wishes.changed());
    on(window, 'online', () => this.#line.draw());
    on(window, 'offline', () => this.#line.draw());
    on(this.#devices, 'track', ({ source, track, cause }) => this.#trackChanged(source, track, cause));
    on(this.#devices, 'speaker', ({ deviceId }) => this.#sound.setSpeaker(deviceId));
    on(window, 'keydown', (event) => this.#keyPressed(event));
  }

  // Buttons.

  #dress() {
    const { signal } = this.#unlisten;
    const click = (id, react) => byID(id).addEventListener('click', react, { signal });
    click('microphone', () => this.#toggleMicrophone());
    click('camera', () => this.#toggleCamera());
    click('screen', () => this.#screen.toggle());
    click('settings', () => byID('settings-dialog').showModal());
    click('settings-close', () => byID('settings-dialog').close());
    click('statistics', () => this.#panel.toggle('statistics'));
    click('people-button', () => this.#panel.toggle('people'));
    click('messages-button', () => this.#panel.toggle('messages'));
    click('hand', () => this.#toggleHand());
    click('more', () => this.#showMore(byID('more').getAttribute('aria-expanded') !== 'true'));
    click('quality', () => this.#panel.toggle('why'));
    click('panel-close', () => this.#panel.show(false));
    click('leave', () => this.#room.leave().catch(() => {}));
    click('tap-to-hear', () => {
      byID('tap-to-hear').hidden = true;
      this.#sound.playAll();
    });
    dressButton(byID('settings'), 'settings', strings.settings);
    dressButton(byID('settings-close'), 'close', strings.close);
    dressButton(byID('panel-close'), 'close', strings.close);
    dressButton(byID('leave'), 'leave', strings.leave);
    showPickers(byID('room-devices'), this.#devices);
    this.#showMore(false);
    this.#drawLocked(this.#room.settings);
    byID('quality').hidden = true;
    byID('quality').replaceChildren(this.#bars.element);
    this.#panel.show(this.#panel.isOpen);
    this.#drawButtons();
  }

  #drawButtons() {
    const microphoneOff = !this.#devices.microphone || this.#room.isMuted('microphone');
    const cameraOff = !this.#devices.camera;
    const sharing = Boolean(this.#screen.track);
    dressButton(byID('microphone'), microphoneOff ? 'microphone-off' : 'microphone',
      microphoneOff ? strings.unmuteMicrophone : strings.muteMicrophone, microphoneOff);
    dressButton(byID('camera'), cameraOff ? 'camera-off' : 'camera',
      cameraOff ? strings.startCamera : strings.stopCamera, cameraOff);
    dressButton(byID('screen'), sharing ? 'screen-off' : 'screen',
      sharing ? strings.stopScreen : strings.shareScreen, sharing);
    byID('screen').classList.toggle('active', sharing);
    // A listener has nothing to send, and a host need not ask for the word.
    const { role, self } = this.#room;
    for (const id of ['microphone', 'camera']) byID(id).hidden = role === 'listener';
    byID('screen').hidden = role === 'listener' || !navigator.mediaDevices?.getDisplayMedia;
    const raised = Boolean(self?.hand);
    byID('hand').hidden = role === 'host';
    byID('hand').classList.toggle('active', raised);
    dressButton(byID('hand'), 'hand', raised ? strings.lowerHand : strings.raiseHand, raised);
  }

  #showMore(open) {
    byID('room').classList.toggle('shows-more', open);
    dressButton(byID('more'), 'more', strings.more);
    byID('more').setAttribute('aria-expanded', String(open));
  }

  #drawLocked({ locked }) {
    byID('locked').hidden = !locked;
    byID('locked').title = strings.lockedRoom;
    byID('locked').setAttribute('aria-label', strings.lockedRoom);
  }

  async #toggleHand() {
    const { life, self } = this.#room;
    try {
      await (self.hand ? life.lowerHand() : life.raiseHand());
    } catch (error) {
      this.#toast(strings.lifeErrors[error.code] ?? strings.lifeErrors.other);
    }
  }

  // Who listens needs neither microphone nor camera: they are let go, and asked for when the word is given.
  async #roleChanged() {
    if (this.#room.role === 'listener') {
      if (this.#screen.track) await this.#screen.end();
      await this.#devices.switch('microphone', false);
      await this.#devices.switch('camera', false);
    }
    this.#drawSelf();
  }

  async #unmuteMicrophone() {
    if (!this.#devices.microphone) {
      if (!await this.#devices.switch('microphone', true)) this.#toast(strings.deniedMicrophone);
      return;
    }
    await this.#mute('microphone', false);
  }

  async #toggleMicrophone() {
    if (this.#room.role === 'listener') return;
    if (!this.#devices.microphone || this.#room.isMuted('microphone')) await this.#unmuteMicrophone();
    else await this.#mute('microphone', true);
  }

  // The camera is let go while it is off, so that its light goes out.
  async #toggleCamera() {
    if (this.#room.role === 'listener') return;
    const on = !this.#devices.camera;
    if (await this.#devices.switch('camera', on) !== on) this.#toast(strings.deniedCamera);
  }

  async #trackChanged(source, track, cause) {
    await this.#room.replaceTrack(source, track);
    if (cause !== 'chosen') await this.#mute(source, !track);
    if (cause === 'lost') this.#toast(strings[`${source}${track ? 'Lost' : 'Gone'}`]);
    this.#drawSelf();
  }

  async #mute(source, muted) {
    const told = this.#room.mute(source, muted).catch((error) => {
      if (error.code in strings.lifeErrors) this.#toast(strings.lifeErrors[error.code]);
      else console.warn('majlis:', error);
      this.#drawSelf();
    });
    this.#drawSelf();
    await told;
  }

  // Control or Command with D and E, as other call pages have it: a single letter would be pressed by mistake.
  #keyPressed(event) {
    if (event.key === 'Escape') this.#panel.show(false);
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    const react = { d: () => this.#toggleMicrophone(), e: () => this.#toggleCamera() }[event.key.toLowerCase()];
    if (!react) return;
    event.preventDefault();
    react();
  }

  // Tiles.

  /** The badge for as long as a recording runs. It is a live region: what is put into it is read out. */
  #drawRecording() {
    const badge = byID('recording');
    const payload = this.#room.recording?.payload ?? '';
    if (badge.dataset.payload === payload) return;
    badge.dataset.payload = payload;
    if (!payload) {
      badge.replaceChildren();
      badge.title = '';
      this.#toast(strings.recordingEnded);
      return;
    }
    const [word, sentence] = strings.recordings[payload === 'headers' ? 'headers' : 'whole'];
    badge.title = sentence;
    badge.replaceChildren(
      element('span', { textContent: word, aria: { hidden: 'true' } }),
      element('span.visually-hidden', { textContent: sentence }));
  }

  #drawEverything() {
    const room = this.#room;
    const keys = new Set(room.role === 'listener' ? [] : ['self']);
    for (const participant of room.participants.values()) {
      if (participant.role === 'listener') continue;
      keys.add(participant.id);
      if (participant.tracks.some(({ source }) => source === 'screen')) keys.add(`${participant.id}/screen`);
    }
    if (this.#screen.track) keys.add('self/screen');
    this.#stage.keepOnly(keys);
    this.#drawRecording();
    this.#drawSelf();
    for (const participant of room.participants.values()) this.#drawParticipant(participant);
    this.#slotsChanged([...room.slots.values()]);
    this.#drawPeople();
    this.#wishes.forget();
    this.#wishes.changed();
  }

  #drawSelf() {
    const { self } = this.#room;
    if (this.#room.role === 'listener') {
      this.#stage.remove('self');
      this.#stage.remove('self/screen');
      this.#drawButtons();
      return;
    }
    const tile = this.#stage.tile('self', { name: nameOf(self), label: strings.youNamed(nameOf(self)), own: true });
    tile.hand = self.hand;
    tile.muted = !this.#devices.microphone || this.#room.isMuted('microphone');
    tile.show(this.#devices.camera, Boolean(this.#devices.camera));
    if (this.#screen.track) {
      const tile = this.#stage.tile('self/screen', { name: strings.yourScreen, own: true, screen: true });
      tile.show(this.#screen.track, true);
    } else {
      this.#stage.remove('self/screen');
    }
    this.#drawButtons();
  }

  #drawParticipant(participant) {
    const { id, tracks } = participant;
    if (participant.role === 'listener') {
      this.#stage.remove(id);
      this.#stage.remove(`${id}/screen`);
      return;
    }
    const name = nameOf(participant);
    const tile = this.#stage.tile(id, { name });
    const microphone = tracks.find(({ source }) => source === 'microphone');
    tile.hand = participant.hand;
    tile.muted = !microphone || microphone.muted;
    this.#drawPicture(tile, id, 'camera', tracks);
    if (tracks.some(({ source }) => source === 'screen')) {
      const screen = this.#stage.tile(`${id}/screen`, { name: strings.screenOf(name), screen: true });
      this.#drawPicture(screen, id, 'screen', tracks);
    } else {
      this.#stage.remove(`${id}/screen`);
    }
  }

  #drawPicture(tile, participant, source, tracks) {
    const slot = this.#room.slotOf(participant, source);
    const track = tracks.find((one) => one.source === source);
    const obstacle = this.#obstacleOf(participant);
    const isOn = Boolean(slot?.showing && track && !track.muted);
    const paused = isOn ? this.#paused.get(slot.mid) : undefined;
    const note = { undecryptable: strings.cannotDecrypt, plain: strings.notEncrypted }[obstacle];
    tile.setNote(note ?? (paused === undefined ? null : strings.videoPaused), note ? '' : paused);
    tile.show(slot?.mediaTrack ?? null, isOn && !obstacle && paused === undefined);
  }

  // Why this participant's frames are not used, or null.
  #obstacleOf(id) {
    const { participants, encryption } = this.#room;
    const state = encryption.stateOf(participants.get(id)?.number);
    return state && state !== 'readable' ? state : null;
  }

  #slotsChanged(slots) {
    for (const slot of slots) if (slot.kind === 'audio') this.#sound.play(slot);
    for (const participant of this.#room.participants.values()) this.#drawParticipant(participant);
    this.#wishes.changed();
  }

  #drawPeople() {
    const { participants } = this.#room;
    byID('people').textContent = strings.peopleCount(participants.size + 1);
    this.#stage.hasAudience = [...participants.values()].some(({ role }) => role === 'listener');
  }

  #showLevels() {
    const levels = this.#room.audioLevels();
    levels.set('self', this.#room.ownAudioLevel());
    this.#rings.show(levels);
  }

  #toast(sentence) {
    announce(sentence);
    const toast = element('p.toast', { textContent: sentence, aria: { hidden: 'true' } });
    byID('toasts').append(toast);
    while (byID('toasts').childElementCount > TOASTS) byID('toasts').firstElementChild.remove();
    setTimeout(() => toast.remove(), TOAST_TIME);
  }

  #drawQuality(quality) {
    const own = barsOfScore(quality.mos);
    this.#bars.show(own);
    const button = byID('quality');
    button.hidden = !own;
    button.setAttribute('aria-label', `${strings.why} ${strings.qualityOf(strings.qualityLevels[own])}`);
    button.title = strings.why;
    const before = JSON.stringify([...this.#paused]);
    this.#paused = pausedSlots(quality);
    if (JSON.stringify([...this.#paused]) !== before) {
      for (const participant of this.#room.participants.values()) this.#drawParticipant(participant);
    }
    const bars = barsOfParticipants(quality, this.#room.slots);
    for (const id of this.#room.participants.keys()) {
      const tile = this.#stage.find(id);
      if (tile) tile.bars = bars.get(id) ?? 0;
    }
    const self = this.#stage.find('self');
    if (self) self.bars = own;
    this.#panel.draw('why');
  }

  #finish(reason) {
    this.#unlisten.abort();
    this.#people.stop();
    this.#talk.stop();
    this.#panel.show(false);
    this.#timers.forEach(clearInterval);
    this.#wishes.stop();
    this.#line.stop();
    this.#screen.stop();
    byID('settings-dialog').close();
    this.#sound.stop();
    byID('toasts').replaceChildren();
    byID('tap-to-hear').hidden = true;
    this.#stage.clear();
    byID('recording').replaceChildren();
    byID('recording').dataset.payload = '';
    this.#ended(reason);
  }
}

const nameOf = (participant) => participant?.name || participant?.user || strings.unnamed;
