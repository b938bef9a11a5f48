"""What tests of narrow links stand on: a star of network namespaces around a server, links that are narrowed towards a
receiver, a picture that costs an encoder what it may spend, and what a receiver notes of frames, freezes and sound. Knows no
scenario."""

import contextlib
import json
import os
import subprocess
import time

import rig
from capture_world import DEVICES, tc
from rig import in_namespace, ip, until

SERVER_ADDRESS = "10.99.72.1"

# The bytes that a token bucket lets pass at once: little more than the largest packet, so that the rate holds over
# milliseconds.
BURST = 1_600
# How long a packet waits at most in front of a narrow link, as in RFC 8867.
QUEUE_MILLISECONDS = 300

# What encodings of a camera may cost, in bit/s.
BITRATES = {"q": 100_000, "h": 350_000, "f": 1_200_000}
# What one encoding without layers may cost: as much as the highest of the three.
MAXIMUM = BITRATES["f"]

# Takes the place of the devices: a voice as in capture_world.py, and a picture of drifting clouds and a patch of noise, which no
# encoder gets for nothing. `size` null: no devices at all.
PICTURE = """
(() => {
  const { size, frames } = __PICTURE__;
  const withVoice = navigator.mediaDevices.getUserMedia;
  const cloud = (width, height, cells) => {
    const small = new OffscreenCanvas(Math.ceil(width / cells), Math.ceil(height / cells));
    const context = small.getContext('2d');
    const image = context.createImageData(small.width, small.height);
    for (let i = 0; i < image.data.length; i += 4) {
      for (let k = 0; k < 3; k += 1) image.data[i + k] = 40 + 170 * Math.random();
      image.data[i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    return small;
  };
  function makePicture() {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = size;
    const [width, height] = size;
    const context = canvas.getContext('2d', { alpha: false });
    const far = cloud(width * 2, height * 2, 24);
    const near = cloud(width / 2, height / 2, 4);
    let n = 0;
    window.drawn = [];
    const draw = () => {
      n += 1;
      window.drawn.push(performance.timeOrigin + performance.now());
      const swing = (period, range) => range * (0.5 + 0.5 * Math.sin((2 * Math.PI * n) / period));
      context.drawImage(far, -swing(190, width), -swing(130, height), width * 2, height * 2);
      context.drawImage(near, swing(97, width / 2), swing(61, height / 2), width / 2, height / 2);
      context.fillStyle = `hsl(${(n * 5) % 360} 60% 50%)`;
      context.fillRect((n * 9) % width, height * 0.8, 60, 40);
      context.fillStyle = 'white';
      context.font = 'bold 48px sans-serif';
      context.fillText(String(n), 30, 60);
    };
    draw();
    setInterval(draw, 1000 / frames);
    return canvas.captureStream(frames).getVideoTracks()[0];
  }
  navigator.mediaDevices.getUserMedia = async ({ audio, video }) => {
    if (!size) throw new DOMException('there are no devices', 'NotFoundError');
    const tracks = [];
    if (video) tracks.push(makePicture());
    if (audio) tracks.push(...(await withVoice({ audio })).getTracks());
    return new MediaStream(tracks);
  };
})();
"""

# Sets what each encoding of the camera may cost.
SET_BITRATES = """async (bitrates) => {
  for (const sender of majlis.room.peerConnection.getSenders()) {
    const parameters = sender.getParameters();
    if (sender.track?.kind !== 'video') continue;
    for (const encoding of parameters.encodings) encoding.maxBitrate = bitrates[encoding.rid];
    await sender.setParameters(parameters);
    return sender.getParameters().encodings.map(({ rid, maxBitrate }) => [rid, maxBitrate]);
  }
  return null;
}"""

# What a sender's encodings cost now, in bytes so far.
SENT = """async () => {
  const sent = {};
  for (const one of (await (window.direct ?? majlis.room.peerConnection).getStats()).values()) {
    if (one.type !== 'outbound-rtp' || one.kind !== 'video') continue;
    sent[one.rid ?? ''] = {
      bytes: one.bytesSent, frames: one.framesEncoded, width: one.frameWidth, height: one.frameHeight, active: one.active,
      qp: one.qpSum, limited: one.qualityLimitationReason, target: one.targetBitrate,
    };
  }
  return sent;
}"""

# Notes on this page, for as long as it lives: when each frame was shown and how large it was, and five times a second what
# the browser has counted; and when the page itself did not run. Times are milliseconds since 1970.
WATCH = """() => {
  const watched = { frames: [], samples: [], stalls: [] };
  window.watched = watched;
  let beat = performance.now();
  setInterval(() => {
    const now = performance.now();
    if (now - beat > 150) watched.stalls.push([performance.timeOrigin + beat, performance.timeOrigin + now]);
    beat = now;
  }, 40);
  const connection = () => window.direct ?? window.majlis?.room?.peerConnection;
  let element = null;
  const follow = () => {
    const found = [...document.querySelectorAll('video')].find((one) => one.videoWidth && one.srcObject);
    if (!found || found === element) return;
    element = found;
    const shown = (now, { width, height }) => {
      watched.frames.push([performance.timeOrigin + now, width, height]);
      if (element === found) found.requestVideoFrameCallback(shown);
    };
    found.requestVideoFrameCallback(shown);
  };
  const most = (list, of) => list.reduce((best, one) => ((one[of] ?? 0) > (best?.[of] ?? 0) ? one : best), null);
  const sample = async () => {
    follow();
    const pc = connection();
    if (!pc) return;
    const all = [...(await pc.getStats()).values()].filter(({ type }) => type === 'inbound-rtp');
    const video = most(all.filter(({ kind }) => kind === 'video'), 'bytesReceived');
    const audio = most(all.filter(({ kind }) => kind === 'audio'), 'packetsReceived');
    const keep = (stats, names) => stats && Object.fromEntries(names.map((name) => [name, stats[name] ?? 0]));
    const slot = window.majlis?.room?.quality?.slots?.find((one) => one.mid === video?.mid);
    watched.samples.push({
      at: performance.timeOrigin + performance.now(),
      video: keep(video, ['bytesReceived', 'headerBytesReceived', 'packetsReceived', 'packetsLost', 'framesReceived',
        'framesDecoded', 'framesDropped', 'keyFramesDecoded', 'frameWidth', 'frameHeight', 'freezeCount',
        'totalFreezesDuration', 'pauseCount', 'totalPausesDuration', 'nackCount', 'pliCount',
        'retransmittedBytesReceived', 'jitterBufferDelay', 'jitterBufferEmittedCount', 'totalDecodeTime']),
      audio: keep(audio, ['bytesReceived', 'packetsReceived', 'packetsLost', 'packetsDiscarded', 'concealedSamples',
        'silentConcealedSamples', 'concealmentEvents', 'totalSamplesReceived', 'totalSamplesDuration', 'totalAudioEnergy',
        'jitterBufferDelay', 'jitterBufferEmittedCount']),
      slot: slot ?? null, estimate: window.majlis?.room?.quality?.receiving?.estimateKilobitsPerSecond ?? null,
    });
  };
  setInterval(sample, 200);
}"""


def source(size=None, frames=15, pitch=140):
    """The script that takes the place of a page's devices: a picture of this size and a voice, or nothing."""
    made = DEVICES.replace("__OPTIONS__", json.dumps({"camera": None, "pitch": pitch}))
    return made + PICTURE.replace("__PICTURE__", json.dumps({"size": size, "frames": frames}))


# Namespaces.

@contextlib.contextmanager
def namespace(name):
    """A namespace that has only `lo`, and in which a page that loads is not disturbed by addresses that come by themselves."""
    ip("netns", "add", name)
    try:
        ip("link", "set", "lo", "up", namespace=name)
        other = "/proc/sys/net/ipv6/conf/default/disable_ipv6"
        subprocess.run(in_namespace(name, ["sh", "-c", f"[ ! -e {other} ] || echo 1 > {other}"]), check=True)
        yield name
    finally:
        ip("netns", "del", name)


class Arm:
    """One arm of a star: a namespace of its own, and the device in the server's namespace that sends to it."""

    def __init__(self, hub, name, device):
        self.hub, self.namespace, self.device = hub, name, device

    def narrow(self, kilobits):
        """Limits what comes to this namespace; None takes the limit away."""
        if kilobits is None:
            subprocess.run(["tc", "-n", self.hub, "qdisc", "del", "dev", self.device, "root"], capture_output=True)
            return
        limit = max(kilobits * QUEUE_MILLISECONDS // 8, 2 * BURST)
        tc(self.hub, "qdisc", "replace", "dev", self.device, "root", "tbf", "rate", f"{kilobits}kbit", "burst", str(BURST),
           "limit", str(limit))


@contextlib.contextmanager
def star(users):
    """A server's namespace, and one of its own for each user, joined to it by a cable: `(namespace, {user: Arm})`."""
    prefix = f"majlis-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        hub = stack.enter_context(namespace(f"{prefix}-hub"))
        ip("link", "add", "hub", "type", "bridge", namespace=hub)
        ip("addr", "add", f"{SERVER_ADDRESS}/24", "dev", "hub", namespace=hub)
        ip("link", "set", "hub", "up", namespace=hub)
        arms = {}
        for number, user in enumerate(users):
            name = stack.enter_context(namespace(f"{prefix}-{user}"))
            near, far = f"to-{user}"[:15], "cable"
            ip("link", "add", near, "netns", hub, "type", "veth", "peer", "name", far, "netns", name)
            ip("link", "set", near, "master", "hub", "up", namespace=hub)
            ip("addr", "add", f"10.99.72.{number + 11}/24", "dev", far, namespace=name)
            ip("link", "set", far, "up", namespace=name)
            arms[user] = Arm(hub, name, near)
        yield hub, arms


# What was noted.

class Notes:
    """What a page noted between two moments (seconds since 1970)."""

    def __init__(self, watched, since, until_=None, stalls=()):
        until_ = until_ or time.time()
        self.stalls = [*watched["stalls"], *stalls]
        self.since, self.until = since, until_
        self.frames = [one for one in watched["frames"] if since <= one[0] / 1000 <= until_]
        self.samples = [one for one in watched["samples"] if since <= one["at"] / 1000 <= until_]

    def grown(self, kind, name):
        """How much a counter grew."""
        found = [one[kind][name] for one in self.samples if one[kind]]
        return found[-1] - found[0] if len(found) > 1 else 0

    @property
    def seconds(self):
        return (self.samples[-1]["at"] - self.samples[0]["at"]) / 1000 if len(self.samples) > 1 else 0

    def kilobits(self, kind="video"):
        """What was received of a kind, RTP headers included, in kb/s."""
        if not self.seconds:
            return 0
        return (self.grown(kind, "bytesReceived") + (self.grown(kind, "headerBytesReceived") if kind == "video" else 0)
                ) * 8 / 1000 / self.seconds

    def heights(self):
        """How many frames were shown of each height."""
        found = {}
        for _, _, height in self.frames:
            found[height] = found.get(height, 0) + 1
        return found

    def gaps(self, least=0.5):
        """The pauses between two frames of more than `least` seconds: `(when since the beginning, how long)`. What the
        machine took from the page, or from the sender's camera, is not counted."""
        times = [one[0] for one in self.frames]
        found = [(a, b - a - self.stalled(a, b)) for a, b in zip(times, times[1:]) if b - a > least * 1000]
        return [(round(a / 1000 - self.since, 2), round(took / 1000, 3)) for a, took in found if took > least * 1000]

    def stalled(self, since, until_):
        """How many milliseconds of a time a page did not run."""
        return sum(max(0, min(b, until_) - max(a, since)) for a, b in self.stalls)

    def concealed(self):
        """The part of the samples played that was made up while somebody spoke: what is missing and was not silence."""
        played = self.grown("audio", "totalSamplesReceived")
        lost = self.grown("audio", "concealedSamples") - self.grown("audio", "silentConcealedSamples")
        return lost / played if played else 0

    @property
    def shares(self):
        """What part of the time the receiver was told that its slot was given which height and temporal layer."""
        found = {}
        for one in self.samples:
            slot = one["slot"] or {}
            what = "paused" if slot.get("status") == "paused" else f"{slot.get('height')}p T{slot.get('temporalLayer', 2)}"
            found[what] = found.get(what, 0) + 1 / len(self.samples)
        return {what: round(part, 2) for what, part in sorted(found.items(), key=lambda one: -one[1])}

    def told(self):
        """What the receiver was told of its slot, each once, in order."""
        said = []
        for one in self.samples:
            slot = one["slot"]
            if not slot:
                continue
            line = (slot["status"], slot.get("height"), slot.get("temporalLayer"))
            if not said or said[-1] != line:
                said.append(line)
        return said


def notes(page, since, until_=None, sender=None):
    """What a page noted since a moment; `sender` is whose picture it shows, and may not have been drawn for a while."""
    drawn = sender.evaluate("() => drawn") if sender else []
    stalls = [[a, b] for a, b in zip(drawn, drawn[1:]) if b - a > 250]
    return Notes(page.evaluate("() => watched"), since, until_, stalls)


def goes_by(page, seconds):
    """Lets so much time pass in which a page's events are taken in."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        page.page.wait_for_timeout(min(left, 0.25) * 1_000)


def sends_three(page, seconds=30):
    """Waits until three layers are sent with the bitrates of this file."""
    wanted = [[rid, BITRATES[rid]] for rid in "qhf"]
    until(lambda: _set(page) == wanted, 10, f"{page.user}'s encodings take their bitrates")
    until(lambda: sum(one["frames"] > 5 for one in page.evaluate(SENT).values()) == 3, seconds,
          f"{page.user} sends three layers")


def _set(page):
    # The client library may be setting the same parameters: the browser refuses one of the two.
    try:
        return page.evaluate(SET_BITRATES, BITRATES)
    except Exception as error:
        return str(error)
