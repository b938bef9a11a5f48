"""What the recorded calls stand on: links that are narrow, lossy or cut, voices made by the page, small cameras, and a
room that is recorded from its beginning. Knows no scenario."""

import contextlib
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

import rig
from rig import in_namespace, until

SERVER_ADDRESS = "10.99.71.1"

# Takes the place of the devices: `camera` is null or {width, height}, `voice` is null (the browser's fake microphone)
# or the pitch in Hz of a voice that speaks when `voice.speak(seconds)` says so: a saw tooth through three formants, in
# syllables.
DEVICES = """
(() => {
  const { camera, pitch } = __OPTIONS__;
  const getUserMedia = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  function makeVoice() {
    const context = new AudioContext();
    const source = new OscillatorNode(context, { type: 'sawtooth', frequency: pitch });
    const mouth = new GainNode(context, { gain: 0 });
    const out = new MediaStreamAudioDestinationNode(context);
    for (const [frequency, gain] of [[500, 1], [1500, 0.6], [2500, 0.3]]) {
      const formant = new BiquadFilterNode(context, { type: 'bandpass', frequency, Q: 5 });
      source.connect(formant).connect(new GainNode(context, { gain })).connect(mouth);
    }
    mouth.connect(out);
    source.start();
    window.voice = {
      track: out.stream.getAudioTracks()[0],
      speak(seconds) {
        const begin = context.currentTime + 0.02;
        for (let at = 0, n = 0; at + 0.12 < seconds; at += 0.16 + 0.05 * (n % 3), n += 1) {
          mouth.gain.setTargetAtTime(0.9, begin + at, 0.01);
          mouth.gain.setTargetAtTime(0.15, begin + at + 0.11, 0.02);
          source.frequency.setTargetAtTime(pitch * (1 + 0.1 * ((n * 7) % 5 - 2) / 2), begin + at, 0.03);
        }
        mouth.gain.setTargetAtTime(0, begin + seconds, 0.02);
      },
    };
    return window.voice.track;
  }
  navigator.mediaDevices.getUserMedia = async ({ audio, video }) => {
    if (video && !camera) throw new DOMException('there is no camera', 'NotFoundError');
    const tracks = [];
    if (video) tracks.push(...(await getUserMedia({ video: camera })).getTracks());
    if (audio) tracks.push(...(pitch ? [makeVoice()] : (await getUserMedia({ audio })).getTracks()));
    return new MediaStream(tracks);
  };
})();
"""

HD = {"width": 1280, "height": 720}
SMALL = {"width": 320, "height": 180}


def devices(camera=None, pitch=None):
    """The script that takes the place of a page's devices."""
    return DEVICES.replace("__OPTIONS__", json.dumps({"camera": camera, "pitch": pitch}))


# Links.

def tc(namespace, *arguments):
    done = subprocess.run(["tc", "-n", namespace, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"tc {' '.join(arguments)}: {done.stderr.strip()}"


def narrow(namespace, device, kilobits):
    """Limits what a device sends; the queue is 100 ms long."""
    tc(namespace, "qdisc", "replace", "dev", device, "root", "tbf", "rate", f"{kilobits}kbit", "burst", "5kb", "latency",
       "100ms")


def nft(namespace, text):
    done = subprocess.run(in_namespace(namespace, ["nft", "-f", "-"]), input=text, capture_output=True, text=True)
    assert done.returncode == 0, f"nft: {done.stderr.strip()}"


def lose(namespace, device, percent):
    """Loses this share of all UDP on a device, in both directions."""
    rule = "ip protocol udp numgen random mod 100 < " + str(percent) + " drop"
    nft(namespace, f"""
        table ip loss {{
          chain in {{ type filter hook input priority 0; policy accept;
            iifname "{device}" {rule}
          }}
          chain out {{ type filter hook output priority 0; policy accept;
            oifname "{device}" {rule}
          }}
        }}
        """)


@contextlib.contextmanager
def cut(namespace, device):
    """Nothing at all passes a device, in either direction."""
    nft(namespace, f"""
        table ip cut {{
          chain in {{ type filter hook input priority 0; policy accept;
            iifname "{device}" drop
          }}
          chain out {{ type filter hook output priority 0; policy accept;
            oifname "{device}" drop
          }}
        }}
        """)
    try:
        yield
    finally:
        nft(namespace, "delete table ip cut\n")


# The call.

class Call:
    """A server that records its one room, and the pages that are in it."""

    ROOM = "garden"

    def __init__(self, name, browsers, namespace=None, host="127.0.0.1", **settings):
        self.name, self.browsers, self.namespace = name, browsers, namespace
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="majlis-capture-"))
        self.server = rig.Server(f"capture-{name}", namespace=namespace, host=host, captures={
            "record": "headers", "folder": str(self.folder), "flightRecorder": False}, **settings)
        self.pages = []
        self.began = time.monotonic()

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.end()
        self.browsers.close()
        self.server.stop()
        if kind is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def browser(self, namespace=None, **options):
        """A browser of its own; every further namespace than the server's sees the server from outside."""
        return self.browsers.launch(
            namespace=namespace or self.namespace, origin=self.server.origin,
            loopback=(namespace or self.namespace) == self.namespace, **options)

    def join(self, browser, user, camera=None, pitch=None, size=(1280, 800), waits=True, **parameters):
        """Opens the page in the room and waits until it is connected, or lets `connected` do so."""
        link = self.server.link(user, self.ROOM, autojoin=1, **parameters)
        page = self.browsers.open(browser, link, user, size=size, init=devices(camera, pitch))
        self.pages.append(page)
        if waits:
            self.connected([page])
        return page

    def connected(self, pages):
        for page in pages:
            page.joined(30)
        self.say(f"{', '.join(page.user for page in pages)} connected")

    def say(self, text):
        print(f"  {time.monotonic() - self.began:5.1f} s  {text}", flush=True)

    def run(self, seconds, what):
        """Lets the call go on for so long."""
        self.say(what)
        deadline = time.monotonic() + seconds
        # The pages' events are taken in meanwhile.
        while (left := deadline - time.monotonic()) > 0 and self.pages:
            self.pages[0].page.wait_for_timeout(min(left, 0.25) * 1_000)

    def end(self):
        """Everybody leaves."""
        for page in self.pages:
            with contextlib.suppress(Exception):
                page.evaluate("() => majlis.room?.leave()")
        self.pages = []

    def recorded(self):
        """The one file of the room, complete; call it when the call is over."""
        files = list(self.folder.rglob("*.pcapng"))
        assert len(files) == 1, f"one capture was expected, not {[file.name for file in files]}"
        return files[0]


def frames(page, user):
    """How many frames of somebody a page has decoded."""
    return ((page.look() or {}).get("people", {}).get(user) or {}).get("frames", 0)


def sees(page, user, least=3, seconds=20):
    """Waits until a page decodes somebody."""
    until(lambda: frames(page, user) >= least, seconds, f"{page.user} decodes {user}")


def hears(page, user, seconds=20):
    """Waits until a page plays somebody's sound."""
    until(lambda: ((page.look() or {}).get("people", {}).get(user) or {}).get("energy", 0) > 0, seconds,
          f"{page.user} hears {user}")
