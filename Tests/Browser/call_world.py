"""What the tests of one-to-one calls stand on: links to the dial page, small devices and tones, what a page of a call receives, recorded
output, and a TURN server. Knows no scenario."""

import base64
import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import urllib.parse

import pytest

import capture_world
import rig
from rig import until

TURN_SECRET = "majlis-test-secret"

needs_turn = pytest.mark.skipif(shutil.which("turnserver") is None, reason="coturn is not installed")

# Every text that the page's WebSockets carry, as it is.
WIRE = """
window.wire = { sent: [], received: [] };
{
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (text) {
    wire.sent.push(text);
    return send.call(this, text);
  };
  const Counted = window.WebSocket;
  window.WebSocket = class extends Counted {
    constructor(...args) {
      super(...args);
      this.addEventListener('message', ({ data }) => wire.received.push(data));
    }
  };
}
"""

# A small camera, and in place of the microphone three tones that never pause and whose sum no delay of them cancels; or silence.
TONE = """
{
  const capture = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async ({ audio, video }) => {
    const tracks = [];
    if (video) tracks.push(...(await capture({ video: { width: 320, height: 180 } })).getTracks());
    if (audio) {
      const context = new AudioContext();
      const out = new MediaStreamAudioDestinationNode(context);
      for (const frequency of [311, 523, 887]) {
        const tone = new OscillatorNode(context, { frequency });
        tone.connect(new GainNode(context, { gain: __GAIN__ })).connect(out);
        tone.start();
      }
      tracks.push(...out.stream.getTracks());
    }
    return new MediaStream(tracks);
  };
}
"""

# What the page plays, recorded from its audio elements while they play: for each 128 samples at 48 kHz the greatest of them.
RECORDER = """
window.startRecording = async () => {
  const context = new AudioContext({ sampleRate: 48000 });
  const code = `registerProcessor('peaks', class extends AudioWorkletProcessor {
    constructor() { super(); this.peaks = []; }
    process([input]) {
      let peak = 0;
      for (const channel of input) for (const sample of channel) peak = Math.max(peak, Math.abs(sample));
      this.peaks.push(peak);
      if (this.peaks.length === 100) { this.port.postMessage(this.peaks); this.peaks = []; }
      return true;
    }
  })`;
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
  const node = new AudioWorkletNode(context, 'peaks', { channelCount: 1, channelCountMode: 'explicit' });
  window.peaks = [];
  node.port.onmessage = ({ data }) => peaks.push(...data);
  node.connect(context.destination);
  const taps = new Map();
  const tap = (audio) => {
    if (taps.has(audio) || !audio.srcObject) return;
    const source = context.createMediaStreamSource(audio.srcObject);
    source.connect(node);
    taps.set(audio, source);
  };
  const place = document.getElementById('audio');
  for (const audio of place.querySelectorAll('audio')) tap(audio);
  document.addEventListener('playing', ({ target }) => { if (target.localName === 'audio') tap(target); }, true);
  new MutationObserver(() => {
    for (const [audio, source] of taps) {
      if (place.contains(audio)) continue;
      source.disconnect();
      taps.delete(audio);
    }
  }).observe(place, { childList: true });
};
"""

# The call of this page: how it stands, what is decoded of the other side, and the addresses that carry it.
LOOK = """async () => {
  const { call } = majlis;
  if (!call) return null;
  const pc = call.usesRoom ? call.room.peerConnection : call.link?.peerConnection;
  const seen = { state: call.state, usesRoom: call.usesRoom, room: Boolean(call.room), link: Boolean(call.link), path: call.path,
    frames: 0, energy: 0, outcome: call.outcome, people: call.people.map(({ id }) => id), quality: call.quality,
    peerQuality: call.peerQuality, id: call.id };
  if (!pc) return seen;
  const report = await pc.getStats();
  for (const stats of report.values()) {
    if (stats.type === 'inbound-rtp' && stats.kind === 'video') seen.frames += stats.framesDecoded ?? 0;
    if (stats.type === 'inbound-rtp' && stats.kind === 'audio') seen.energy += stats.totalAudioEnergy ?? 0;
    if (stats.type === 'transport' && stats.selectedCandidatePairId) {
      const pair = report.get(stats.selectedCandidatePairId);
      seen.local = report.get(pair.localCandidateId)?.candidateType;
      seen.remote = report.get(pair.remoteCandidateId)?.candidateType;
    }
  }
  return seen;
}"""

# The time from accepting to the first frame that was shown, on the page that accepted and on the one that called, in milliseconds.
SET_UP = """() => {
  const { timing } = majlis.call;
  const begin = performance.getEntriesByName('majlis-accept').at(-1)?.startTime ?? timing.accepted;
  return { connected: timing.connected - begin, firstFrame: timing.firstFrame - begin };
}"""


def tone(gain=0.2):
    """The script that takes the place of the devices."""
    return TONE.replace("__GAIN__", str(gain))


def settings():
    """The page from a folder instead of the binary, where MAJLIS_WEB_ROOT names one."""
    return {"listen": {"webRoot": os.environ["MAJLIS_WEB_ROOT"]}} if "MAJLIS_WEB_ROOT" in os.environ else {}


def link(server, user, **parameters):
    """The dial page's address for this user."""
    fields = {"token": rig.token(user, "none", calls=True), "simulcast": 0, **parameters}
    return f"{server.origin}/dial.html#{urllib.parse.urlencode(fields)}"


class Person:
    """A page of somebody who calls and is called."""

    def __init__(self, chromium, browser, server, user, size=(960, 720), scheme="light", init=None, language=None, **parameters):
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, bypass_csp=True, locale=language or "en")
        for script in (rig.COUNTERS, WIRE, RECORDER, init or capture_world.devices(camera=capture_world.SMALL)):
            context.add_init_script(script)
        self.user = user
        self.rig = rig.Page(context.new_page(), user)
        self.page = self.rig.page
        self.page.goto(link(server, user, **parameters))
        if any("ERR_NETWORK_CHANGED" in line for line in self.rig.console):
            self.rig.console.clear()
            self.page.reload()
        until(lambda: self.rig.is_true("window.majlis?.session?.state === 'open'"), 20, f"{user} is connected")

    def evaluate(self, script, argument=None):
        return self.page.evaluate(script, argument)

    def look(self):
        return self.evaluate(LOOK)

    def dial(self, user, media="video"):
        self.page.fill("#dial-to", user)
        self.page.click(f"#dial-{media}")

    def rings(self, seconds=8):
        until(lambda: self.page.locator("#incoming").is_visible(), seconds, f"{self.user} is rung")
        return self

    def rings_not(self, seconds=5):
        until(lambda: not self.page.locator("#incoming").is_visible(), seconds, f"{self.user} rings no longer")

    def accept(self, media="video"):
        self.page.click(f"#accept-{media}")

    def talks(self, seconds=25, video=True):
        """Waits until the call is active, and sound and picture of the other side are decoded."""
        def both():
            now = self.look()
            both.last = now
            there = now and now["state"] == "active" and now["path"] and now["energy"] > 0 and (now["frames"] > 3 or not video)
            return now if there else None
        try:
            return until(both, seconds, f"{self.user} sees and hears")
        except AssertionError as error:
            raise AssertionError(f"{error}; {both.last}; {self.rig.console[-12:]}") from None

    def goes_on(self, seconds=8, video=True):
        """Waits until more of the other side is decoded than now."""
        before = self.look()

        def more():
            now = self.look()
            more.last = now
            return now and now["energy"] > before["energy"] and (not video or now["frames"] > before["frames"] + 3)
        try:
            until(more, seconds, f"{self.user} goes on seeing and hearing")
        except AssertionError as error:
            raise AssertionError(f"{error}; {before}; {more.last}") from None

    def is_over(self, seconds=8):
        """Waits until there is no call, and returns what the page says of it."""
        until(lambda: self.evaluate("() => majlis.call === null"), seconds, f"{self.user}'s call is over")
        return self.page.inner_text("#dial-notice")

    def messages(self, kind, way="received"):
        """The messages of a type that this page has sent or received, as objects."""
        return self.evaluate("([way, kind]) => wire[way].map((text) => JSON.parse(text)).filter(({ type }) => type === kind)",
                             [way, kind])

    def told_at(self, kind):
        """When this page received the last message of a type, in milliseconds since 1970."""
        times = [one["at"] for one in self.rig.events(kind)]
        return times[-1] if times else None

    def screenshot(self, name):
        self.rig.screenshot(name)


def gap(person):
    """The longest stretch without sound in what was recorded since it began to sound, and how long the recording is: milliseconds."""
    peaks = person.evaluate("() => peaks")
    loud = [index for index, peak in enumerate(peaks) if peak > 0.02]
    assert loud, f"{person.user} recorded no sound in {len(peaks)} blocks"
    longest = max((after - before - 1 for before, after in zip(loud, loud[1:])), default=0)
    longest = max(longest, len(peaks) - 1 - loud[-1])
    return longest * 128 / 48, len(peaks) * 128 / 48


def forwarded(server):
    """RTP and RTCP packets that the server's media workers have sent."""
    text = server.get("/metrics")[1]
    return sum(int(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("majlis_sent_packets_total{"))


@contextlib.contextmanager
def turn_server(folder, address="127.0.0.1", namespace=None, extra=()):
    """coturn on one address: its port."""
    port = rig.free_port()
    command = [
        "timeout", "300", "turnserver", "-n", "--listening-ip", address, "--relay-ip", address, "--listening-port", str(port),
        "--min-port", "50200", "--max-port", "50300", "--use-auth-secret", "--static-auth-secret", TURN_SECRET,
        "--realm", "majlis.test", "--fingerprint", "--no-cli", "--allow-loopback-peers", "--log-file", "stdout", "--simple-log",
        "--pidfile", str(folder / "coturn.pid"), "--userdb", str(folder / "turn.db"), *(extra or ["--no-tls", "--no-dtls"])]
    with open(folder / "turn.log", "wb") as log:
        process = subprocess.Popen(rig.in_namespace(namespace, command), stdout=log, stderr=subprocess.STDOUT)
        try:
            until(lambda: answers(port, address, namespace), 10, "coturn listens")
            yield port
        finally:
            process.terminate()
            process.wait(10)


def certificate(folder, address):
    """A certificate for an address, its key, and the flag with which Chromium takes it: what a public one needs no flag for."""
    paths = [str(folder / name) for name in ("turn.pem", "turn.key")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=turn", "-addext", f"subjectAltName=IP:{address}", "-out", paths[0], "-keyout", paths[1]],
        check=True, capture_output=True)
    key = subprocess.run(["openssl", "x509", "-in", paths[0], "-noout", "-pubkey"], check=True, capture_output=True).stdout
    raw = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key, check=True, capture_output=True).stdout
    digest = base64.b64encode(hashlib.sha256(raw).digest()).decode()
    return *paths, f"--ignore-certificate-errors-spki-list={digest}"


def answers(port, address, namespace):
    if namespace is None:
        with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
            return True
        return False
    code = f"import socket; socket.create_connection(('{address}', {port}), 1)"
    return subprocess.run(rig.in_namespace(namespace, ["python3", "-c", code]), capture_output=True).returncode == 0
