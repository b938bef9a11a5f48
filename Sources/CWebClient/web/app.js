// The page: the lobby, the way into a room, and the ways out of it. Everything the person is told is in strings.*.js.
//
// For debugging, `window.majlis` is `{session, room, devices}` of this page; nothing reads it.

import { Call } from './call.js';
import { Devices, sentenceFor, showPickers } from './devices.js';
import { announce, byID, dressButton, hueOf, initials, translate } from './dom.js';
import { deviceName, readLink, signallingURL } from './link.js';
import { connect } from './majlis.js';
import { direction, language, strings } from './strings.js';

const link = readLink();
const devices = new Devices();
let session = null;
let connecting = null;
let joining = false;
let startMuted = false;
let lobbyReady = false;
let stopMeter = () => {};

window.majlis = { get session() { return session; }, get room() { return session?.room ?? null; }, devices };

/** Whether the link says that its bearer will only listen: then no device is asked for. */
const onlyListens = link.role === 'listener';

async function start() {
  document.documentElement.lang = language;
  document.documentElement.dir = direction;
  translate();
  window.addEventListener('hashchange', () => location.reload());
  // A link that names no room and is good for calls is for the page beside.
  if (!link.room && link.calls) return location.replace(`dial.html${location.search}${location.hash}`);
  window.addEventListener('pagehide', () => session?.abandon());
  if (!link.room || !link.token) return showEnd('noLink');
  if (link.autojoin) {
    if (!onlyListens) await devices.open();
    return join();
  }
  showLobby();
  // The session opens while the person looks at the lobby: an expired link is told at once, and joining is quick.
  open().catch((error) => { if (isFinal(error)) showEnd(endOf(error)); });
  if (!onlyListens) await devices.open();
  return drawLobby();
}

function open() {
  if (session && session.state !== 'closed') return session.opened;
  connecting ??= connect({ url: signallingURL(), token: link.token, device: deviceName() })
    .then((opened) => {
      session = opened;
      session.addEventListener('closed', ({ detail }) => {
        if (!joining && document.body.dataset.view === 'lobby' && isFinal(detail.error)) showEnd(endOf(detail.error));
      });
      return opened;
    })
    .finally(() => { connecting = null; });
  return connecting;
}

// The lobby.

function showLobby() {
  show('lobby');
  byID('lobby-heading').textContent = strings.lobbyHeading(link.room);
  const name = link.displayName || strings.unnamed;
  byID('lobby-name').textContent = name;
  byID('preview-avatar').textContent = initials(name);
  byID('preview-avatar').style.setProperty('--hue', String(hueOf(name)));
  document.title = `${link.room} · ${strings.appName}`;
  if (!lobbyReady) {
    lobbyReady = true;
    showPickers(byID('lobby-devices'), devices);
    devices.addEventListener('track', () => drawLobby());
    byID('lobby-microphone').onclick = () => toggleLobbyMicrophone();
    byID('lobby-camera').onclick = () => devices.switch('camera', !devices.camera);
    byID('join').onclick = () => join();
  }
  drawLobby(true);
}

async function toggleLobbyMicrophone() {
  if (devices.microphone) startMuted = !startMuted;
  else startMuted = !await devices.switch('microphone', true);
  drawLobby();
}

function drawLobby(starting = false) {
  if (document.body.dataset.view !== 'lobby') return;
  const { microphone, camera } = devices;
  const video = byID('preview-video');
  if ((video.srcObject?.getTracks()[0] ?? null) !== camera) {
    video.srcObject = camera ? new MediaStream([camera]) : null;
    if (camera) video.play().catch(() => {});
  }
  video.closest('.preview-frame').classList.toggle('has-picture', Boolean(camera));
  byID('preview-note').textContent = camera ? '' : starting ? strings.cameraStarting : strings.cameraIsOff;
  const silent = !microphone || startMuted;
  dressButton(byID('lobby-microphone'), silent ? 'microphone-off' : 'microphone',
    silent ? strings.unmuteMicrophone : strings.muteMicrophone, silent);
  dressButton(byID('lobby-camera'), camera ? 'camera' : 'camera-off',
    camera ? strings.stopCamera : strings.startCamera, !camera);
  const sentence = starting ? null : sentenceFor(devices.problems);
  byID('lobby-notice').hidden = !sentence;
  byID('lobby-notice').textContent = sentence ?? '';
  const button = byID('join');
  button.disabled = joining;
  button.textContent = joining ? strings.joining : microphone || starting ? strings.join : strings.joinListening;
  stopMeter();
  stopMeter = microphone && !silent ? measureLevel(microphone) : () => {};
}

// Shows the microphone's level; returns what ends it.
function measureLevel(track) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    // -60 to 0 dB on the whole width.
    byID('level').value = Math.min(1, Math.max(0, 1 + 10 * Math.log10(power + 1e-9) / 60));
  }, 60);
  return () => {
    clearInterval(timer);
    byID('level').value = 0;
    if (context.state !== 'closed') context.close();
  };
}

// In and out.

async function join() {
  if (joining) return;
  joining = true;
  performance.mark('majlis-join');
  drawLobby();
  try {
    await open();
    const { microphone, camera } = devices;
    const room = await session.join(link.room, {
      microphone, camera, muted: { microphone: startMuted, camera: !camera }, slots: link.slots,
      simulcast: link.simulcast, relay: link.relay, name: link.name || undefined,
      waiting: (giveUp) => showWaiting(giveUp),
      passphrase: link.passphrase, ladder: link.ladder, redundantAudio: link.redundantAudio,
    });
    stopMeter();
    byID('preview-video').srcObject = null;
    show('room');
    new Call({ session, room, devices, ended: (reason) => showEnd(reason) });
  } catch (error) {
    console.warn('majlis:', error);
    showEnd(endOf(error));
  } finally {
    joining = false;
  }
}

// A host has to let the person in: there is nothing to see, and the devices rest.
function showWaiting(giveUp) {
  stopMeter();
  show('waiting');
  byID('waiting-leave').onclick = () => giveUp();
  byID('waiting-heading').focus();
  announce(`${strings.waitingTitle}. ${strings.waitingSentence}`);
}

async function joinAgain() {
  const mayOpen = !onlyListens && !devices.problems.microphone;
  if (mayOpen && !devices.microphone && !devices.camera) await devices.open();
  if (link.autojoin || document.body.dataset.view === 'ended') await join();
}

const END_OF_CODE = { invalidOffer: 'failed', closed: 'left' };
const WITHOUT_AGAIN = new Set(['noLink', 'encryptionUnsupported', 'expired', 'unauthorised', 'forbidden', 'removed',
  'banned', 'denied', 'roomEnded']);

function endOf(error) {
  const code = END_OF_CODE[error.code] ?? error.code;
  return code in strings.ends ? code : 'other';
}

function isFinal(error) { return ['expired', 'unauthorised', 'forbidden', 'replaced'].includes(error.code); }

function showEnd(reason) {
  const known = END_OF_CODE[reason] ?? reason;
  const [heading, sentence] = strings.ends[known] ?? strings.ends.other;
  stopMeter();
  devices.stop();
  if (WITHOUT_AGAIN.has(known)) {
    session?.close();
    session = null;
  }
  show('ended');
  byID('ended').dataset.reason = known;
  byID('ended-heading').textContent = heading;
  byID('ended-sentence').textContent = sentence;
  const again = byID('ended-again');
  again.hidden = WITHOUT_AGAIN.has(known);
  again.textContent = known === 'roomFull' || known === 'unreachable' || known === 'serverBusy'
    ? strings.tryAgain : strings.rejoin;
  again.onclick = () => joinAgain();
  byID('ended-heading').focus();
  announce(`${heading}. ${sentence}`);
}

function show(view) {
  document.body.dataset.view = view;
  for (const id of ['lobby', 'waiting', 'room', 'ended']) byID(id).hidden = id !== view;
}

start();
