// The page of one-to-one calls: whom to call, who calls, what was missed, and the way into a call and out of it.
//
// For debugging, `window.majlis` is `{session, calls, call, devices}` of this page; nothing reads it.

import { Contacts, drawPeople, presenceNote } from './contacts.js';
import { Devices, sentenceFor, showPickers } from './devices.js';
import { CallScreen, clock, nameOf } from './dial-call.js';
import { announce, byID, dressButton, element, hueOf, icon, initials, translate } from './dom.js';
import { deviceName, readLink, signallingURL } from './link.js';
import { connect } from './majlis.js';
import { Ringer } from './ring.js';
import { direction, language, strings } from './strings.js';

/** Who is there is asked this often, in milliseconds, while the page is looked at. */
const PRESENCE_EVERY = 10_000;
const TOAST_TIME = 5_000;
const TOASTS = 3;
/** The title says that somebody calls, and the page's own name, in turn, in milliseconds. */
const TITLE_EVERY = 1_000;

const link = readLink();
const devices = new Devices();
const ringer = new Ringer();
let session = null;
let calls = null;
let contacts = null;
let screen = null; // of the call that is shown
let shown = null; // that call
let parked = []; // calls on hold while another is shown, the newest last
const filmed = new WeakSet(); // those of them in which the camera was on
let incoming = []; // calls that ring here, the oldest first
let titleTimer = 0;
let presenceTimer = 0;
let isRelayOnly = link.relay || remembered('relayOnly') === '1';

window.majlis = {
  devices, ringer,
  get session() { return session; },
  get calls() { return calls; },
  get call() { return shown; },
  get incoming() { return incoming[0] ?? null; },
  get parked() { return parked; },
  get room() { return session?.room ?? null; },
};

async function start() {
  document.documentElement.lang = language;
  document.documentElement.dir = direction;
  translate();
  window.addEventListener('hashchange', () => location.reload());
  if (!link.token) return showEnd('noLink');
  if (!link.calls) return showEnd('noCalls');
  contacts = new Contacts(link.user, link.contacts);
  window.addEventListener('pagehide', () => session?.abandon());
  document.addEventListener('visibilitychange', () => { if (!document.hidden) askPresence(); });
  dress();
  show('dial');
  drawDial();
  return open();
}

async function open() {
  try {
    session = await connect({ url: signallingURL(), token: link.token, device: deviceName(), callWaiting: link.callWaiting });
  } catch (error) {
    return showEnd(error.code);
  }
  calls = session.calls;
  calls.roomOptions = { simulcast: link.simulcast };
  calls.addEventListener('incoming', ({ detail: { call } }) => rings(call));
  calls.addEventListener('ended', ({ detail: { call } }) => callEnded(call));
  calls.addEventListener('missed', () => drawMissed());
  session.addEventListener('state', () => drawLine());
  session.addEventListener('restarted', () => askPresence());
  session.addEventListener('closed', ({ detail }) => { if (detail.error.code !== 'left') showEnd(detail.error.code); });
  drawDial();
  askPresence();
  presenceTimer = setInterval(() => { if (!document.hidden) askPresence(); }, PRESENCE_EVERY);
  return undefined;
}

// The page before a call.

function dress() {
  const name = link.displayName || strings.unnamed;
  byID('me-avatar').textContent = initials(name);
  byID('me-avatar').style.setProperty('--hue', String(hueOf(name)));
  byID('dial-heading').textContent = name;
  byID('dial-to').placeholder = byID('add-to').placeholder = strings.dialTo;
  dressButton(byID('dial-audio'), 'phone', strings.callAudio);
  dressButton(byID('dial-video'), 'camera', strings.callVideo);
  dressButton(byID('dial-settings'), 'settings', strings.settings);
  dressButton(byID('call-settings'), 'settings', strings.settings);
  dressButton(byID('add'), 'person-add', strings.addPerson);
  dressButton(byID('add-go'), 'phone', strings.callThem);
  dressButton(byID('hang-up'), 'leave', strings.hangUp);
  dressButton(byID('decline'), 'leave', strings.decline);
  dressButton(byID('accept-audio'), 'phone', strings.acceptAudio);
  dressButton(byID('accept-video'), 'camera', strings.acceptVideo);
  dressButton(byID('accept-hold'), 'pause', strings.acceptHold);
  for (const id of ['settings', 'add']) dressButton(byID(`${id}-close`), 'close', strings.close);
  byID('dial-form').onsubmit = (event) => {
    event.preventDefault();
    dial(byID('dial-to').value.trim(), event.submitter?.value === 'video' ? 'video' : 'audio');
  };
  byID('dial-settings').onclick = openSettings;
  byID('settings-close').onclick = () => byID('settings-dialog').close();
  byID('add-close').onclick = () => byID('add-dialog').close();
  byID('add-form').onsubmit = () => addPerson(byID('add-to').value.trim());
  byID('missed-clear').onclick = () => calls.seen();
  byID('decline').onclick = () => incoming[0]?.decline();
  byID('accept-audio').onclick = () => accept(incoming[0], 'audio');
  byID('accept-video').onclick = () => accept(incoming[0], 'video');
  byID('accept-hold').onclick = () => accept(incoming[0], 'audio', { parks: true });
  byID('relay-only').checked = isRelayOnly;
  byID('relay-only').onchange = () => {
    isRelayOnly = byID('relay-only').checked;
    remember('relayOnly', isRelayOnly ? '1' : '0');
  };
  showPickers(byID('call-devices'), devices);
}

function openSettings() {
  devices.refreshList();
  byID('settings-dialog').showModal();
}

function drawDial() {
  drawLine();
  drawContacts();
  drawMissed();
}

function drawLine() {
  const state = session?.state ?? 'connecting';
  const chip = byID('line');
  chip.dataset.state = { open: 'connected', connecting: 'connecting' }[state] ?? 'recovering';
  const label = { open: strings.lineReady, connecting: strings.stateConnecting }[state] ?? strings.stateRecovering;
  if (chip.textContent !== label) chip.textContent = label;
  byID('dial-hint').textContent = strings.dialHint;
}

function drawContacts() {
  const people = contacts.all.map(({ id }) => {
    const present = contacts.present.has(id);
    return { id, name: contacts.nameOf(id), present, note: presenceNote(present) };
  });
  drawPeople(byID('contacts'), people, [
    { icon: 'phone', label: strings.callAudioTo, act: (id) => dial(id, 'audio') },
    { icon: 'camera', label: strings.callVideoTo, act: (id) => dial(id, 'video') },
  ]);
  byID('contacts-empty').hidden = people.length > 0;
}

function drawMissed() {
  const missed = calls?.missed ?? [];
  byID('missed').hidden = missed.length === 0;
  byID('missed-heading').textContent = strings.missedHeading(missed.length);
  const time = new Intl.DateTimeFormat(language, { dateStyle: 'short', timeStyle: 'short' });
  drawPeople(byID('missed-list'), missed.map(({ call, from, media, placedMilliseconds }) => ({
    id: from.id, key: call, name: from.name || contacts.nameOf(from.id),
    note: `${media === 'video' ? strings.videoCall : strings.audioCall} · ${time.format(new Date(placedMilliseconds))}`,
  })), [{ icon: 'phone', label: strings.callBack, act: (id) => { calls.seen(id); dial(id, 'audio'); } }]);
}

async function askPresence() {
  if (session?.state !== 'open' || shown) return;
  try {
    contacts.present = await calls.presence(contacts.all.map(({ id }) => id));
  } catch {
    return; // Asked again soon.
  }
  drawContacts();
}

function notice(sentence) {
  byID('dial-notice').hidden = !sentence;
  byID('dial-notice').textContent = sentence ?? '';
}

// Calling and being called.

async function dial(user, media) {
  if (!user) return byID('dial-to').focus();
  if (!calls || shown) return undefined;
  notice(null);
  performance.mark('majlis-dial');
  const call = calls.invite(user, { media, relayOnly: isRelayOnly, roomOptions: calls.roomOptions });
  call.user.name = contacts.nameOf(user);
  enter(call);
  call.addEventListener('state', () => {
    if (call !== shown || incoming.length) return;
    if (call.state === 'ringing') ringer.play('ringBack');
    else if (call.state !== 'inviting') ringer.stop();
  });
  await openDevices(call, media);
  return undefined;
}

async function accept(call, media, { parks = false } = {}) {
  if (!call) return;
  performance.mark('majlis-accept');
  incoming = incoming.filter((one) => one !== call);
  drawIncoming();
  const before = shown;
  if (before && parks && canPark()) park();
  else if (before) await before.hangUp();
  try {
    await call.accept({ media, relayOnly: isRelayOnly });
  } catch (error) {
    call.end({ reason: error.code === 'overtaken' ? 'elsewhere' : 'refused', error });
    if (parked.includes(before)) takeBack(before);
    return;
  }
  // A camera that was on for the call on hold is not on for another that nobody said it of.
  if (parked.includes(before) && media === 'audio' && devices.camera) await devices.switch('camera', false);
  enter(call);
  await openDevices(call, media);
}

// The devices are asked for while the call is on its way: who calls need not wait for them.
async function openDevices(call, media) {
  await devices.open({ microphone: true, camera: media === 'video' });
  if (call.isOver || call !== shown) {
    if (!shown) devices.stop();
    return;
  }
  for (const source of ['microphone', 'camera']) if (devices[source]) await call.replaceTrack(source, devices[source]);
  const { microphone, camera } = devices.problems;
  const sentence = sentenceFor({ microphone, camera: media === 'video' ? camera : null });
  if (sentence) toast(sentence);
  screen.draw();
}

// Calls on hold while another is on the screen.
function canPark() { return shown?.state === 'active'; }

function park() {
  parked.push(shown);
  if (devices.camera) filmed.add(shown);
  else filmed.delete(shown);
  shown.hold(true).catch((error) => console.warn('majlis:', error));
}

async function takeBack(call) {
  parked = parked.filter((one) => one !== call);
  enter(call);
  if (Boolean(devices.camera) !== filmed.has(call)) await devices.switch('camera', filmed.has(call));
  for (const source of ['microphone', 'camera']) await call.replaceTrack(source, devices[source]);
  await call.hold(false).catch((error) => toast(strings.callErrors[error.code] ?? strings.holdFailed));
  screen?.draw();
}

function drawParked() {
  byID('parked').replaceChildren(...parked.map((call) => {
    const back = element('button.plain', { type: 'button', aria: { label: strings.returnToCall(nameOf(call)) } }, icon('play'));
    back.title = strings.returnToCall(nameOf(call));
    back.disabled = !canPark();
    back.onclick = () => {
      if (!canPark()) return;
      park();
      takeBack(call);
    };
    return element('li', {}, element('span', { textContent: strings.callIsOnHold(nameOf(call)) }), back);
  }));
}

// The call is the one on the screen from now on.
function enter(call) {
  shown = call;
  notice(null);
  screen?.stop();
  show('call');
  screen = new CallScreen({ call, devices, tell: toast, add: openAdd, openSettings });
  for (const type of ['state', 'moved']) call.addEventListener(type, () => drawParked());
  drawParked();
  drawIncoming();
}

function callEnded(call) {
  incoming = incoming.filter((one) => one !== call);
  const seconds = call.startedAt ? Date.now() - call.startedAt : 0;
  const sentence = sentenceOf(call);
  if (call === shown) {
    shown = null;
    screen.stop();
    screen = null;
    contacts.met(call.user.id, call.user.name === call.user.id ? '' : call.user.name);
    byID('settings-dialog').close();
    byID('add-dialog').close();
    ringer.play(call.outcome.reason === 'busy' ? 'busy' : 'end');
    if (parked.length) {
      toast(`${nameOf(call)}: ${sentence}`);
      takeBack(parked.at(-1));
      return;
    }
    devices.stop();
    document.title = strings.appName;
    show('dial');
    drawDial();
    askPresence();
    notice(seconds ? `${sentence} (${clock(seconds)})` : sentence);
    announce(sentence);
    byID('dial-to').value = '';
    byID('dial-to').focus();
  } else if (parked.includes(call)) {
    parked = parked.filter((one) => one !== call);
    drawParked();
    toast(`${nameOf(call)}: ${sentence}`);
    contacts.met(call.user.id, call.user.name);
  } else if (call.direction === 'incoming' && !call.isGuest) {
    if (call.outcome.how === 'accepted') toast(strings.answeredElsewhere);
    contacts.met(call.user.id, call.user.name);
    if (!shown) {
      drawContacts();
      askPresence();
    }
  }
  drawIncoming();
}

function sentenceOf(call) {
  const { reason, by, error } = call.outcome;
  if (error) return strings.callErrors[error.code] ?? strings.callErrors.other;
  const own = by === (call.direction === 'outgoing' ? 'caller' : 'callee');
  if (own && reason === 'hungUp') return strings.callYouEnded;
  return strings.callEnds[reason] ?? strings.callEnds.hungUp;
}

function rings(call) {
  incoming.push(call);
  announce(strings.callsYou(nameOf(call)));
  drawIncoming();
  byID('incoming-name').focus();
}

function drawIncoming() {
  const [call] = incoming;
  byID('incoming').hidden = !call;
  clearInterval(titleTimer);
  if (!call) {
    if (ringer.playing === 'ring' || ringer.playing === 'waiting') ringer.stop();
    document.title = shown ? `${nameOf(shown)} · ${strings.appName}` : strings.appName;
    return;
  }
  const name = nameOf(call);
  byID('incoming-name').textContent = name;
  byID('incoming-avatar').textContent = initials(name);
  byID('incoming-avatar').style.setProperty('--hue', String(hueOf(name)));
  byID('incoming-kind').textContent = call.media === 'video' ? strings.incomingVideo : strings.incomingAudio;
  byID('accept-hold-place').hidden = !canPark();
  byID('accept-video-place').hidden = canPark();
  byID('incoming-note').hidden = !shown;
  byID('incoming-note').textContent = shown ? strings.acceptEnds(nameOf(shown)) : '';
  ringer.play(shown ? 'waiting' : 'ring');
  let on = false;
  titleTimer = setInterval(() => {
    on = !on;
    document.title = on ? strings.callsYou(name) : strings.appName;
  }, TITLE_EVERY);
}

// A third person.

function openAdd() {
  byID('add-to').value = '';
  const there = new Set(shown.people.map(({ id }) => id));
  const people = contacts.all.filter(({ id }) => !there.has(id)).map(({ id }) => ({
    id, name: contacts.nameOf(id), present: contacts.present.has(id), note: presenceNote(contacts.present.has(id)),
  }));
  drawPeople(byID('add-contacts'), people, [{
    icon: 'phone', label: strings.addName, act: (id) => {
      byID('add-dialog').close();
      addPerson(id);
    },
  }]);
  byID('add-dialog').showModal();
  byID('add-to').focus();
}

function addPerson(user) {
  if (!user || !shown) return;
  const call = shown;
  const guest = calls.invite(user, { media: call.ownMedia, into: call });
  guest.user.name = contacts.nameOf(user);
  guest.placed.catch((error) => toast(strings.callErrors[error.code] ?? strings.callErrors.other));
  screen?.guest(guest);
}

// Sentences, views and what is remembered.

function toast(sentence) {
  announce(sentence);
  const made = element('p.toast', { textContent: sentence, aria: { hidden: 'true' } });
  byID('toasts').append(made);
  while (byID('toasts').childElementCount > TOASTS) byID('toasts').firstElementChild.remove();
  setTimeout(() => made.remove(), TOAST_TIME);
}

function showEnd(reason) {
  const [heading, sentence] = strings.dialEnds[reason] ?? strings.ends[reason] ?? strings.ends.other;
  clearInterval(presenceTimer);
  ringer.stop();
  devices.stop();
  screen?.stop();
  screen = shown = null;
  incoming = [];
  parked = [];
  drawIncoming();
  show('ended');
  byID('ended').dataset.reason = reason;
  byID('ended-heading').textContent = heading;
  byID('ended-sentence').textContent = sentence;
  const again = byID('ended-again');
  again.hidden = !['unreachable', 'replaced', 'other', 'serverBusy'].includes(reason);
  again.textContent = strings.tryAgain;
  again.onclick = () => location.reload();
  byID('ended-heading').focus();
  announce(`${heading}. ${sentence}`);
}

function show(view) {
  document.body.dataset.view = view;
  for (const id of ['dial', 'call', 'ended']) byID(id).hidden = id !== view;
}

function remembered(key) {
  try { return localStorage.getItem(`majlis.${key}`); } catch { return null; }
}

function remember(key, value) {
  try { localStorage.setItem(`majlis.${key}`, value); } catch { /* a private window */ }
}

start();
