"""What the browser tests stand on: a server with a known secret, tokens, Chromium, network namespaces, and conditions
with deadlines. Knows no scenario."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
ARTEFACTS = pathlib.Path(__file__).resolve().parent / "artefacts"
SECRET = "a secret of the browser tests, longer than 32 bytes"
CHROMIUM = os.environ.get("MAJLIS_CHROMIUM", "/usr/bin/chromium")

# Whatever servers, browsers and Playwright leave in the folder for temporary files goes with the process, also where a test
# failed or ended a browser by force.
SCRATCH = tempfile.TemporaryDirectory(prefix="majlis-browser-", ignore_cleanup_errors=True)
tempfile.tempdir = os.environ["TMPDIR"] = SCRATCH.name

# Frames of the fake camera per second: enough to see motion, few enough for a small machine.
FRAMES_PER_SECOND = 10


def until(condition, seconds, what):
    """Waits until `condition()` is true and returns its value; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}; last seen: {value!r}")
        time.sleep(0.05)


# Tokens and links.

def token(user, room, seconds=3600, **claims):
    """A token signed as the server expects it (RFC 7519, HS256)."""
    now = int(time.time())
    body = {"sub": user, "name": user.capitalize(), "room": room, "iat": now, "exp": now + seconds, **claims}
    parts = [_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, body)]
    signed = ".".join(parts)
    return signed + "." + _base64(hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest())


def _base64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


# The server.

def binary():
    """The server to test: MAJLIS_BINARY, else the newest build."""
    named = os.environ.get("MAJLIS_BINARY")
    if named:
        return named
    found = [path for kind in ("release", "debug") if (path := ROOT / ".build" / kind / "majlis").exists()]
    if not found:
        raise AssertionError("there is no majlis binary: run `swift build`, or set MAJLIS_BINARY")
    return str(max(found, key=lambda path: path.stat().st_mtime))


class Server:
    """`majlis serve` as a process of its own, with a configuration file of its own."""

    def __init__(self, name, namespace=None, host="127.0.0.1", port=None, **settings):
        self.name, self.namespace, self.host = name, namespace, host
        self.port = port or free_port()
        self.origin = f"http://{host}:{self.port}"
        self.settings = {
            "listen": {"host": host, "port": self.port},
            "tokens": {"secret": SECRET},
            "media": {"addresses": [host], "workers": 1},
            "storage": {"path": "memory"},
        }
        for group, values in settings.items():
            if isinstance(values, dict):
                self.settings.setdefault(group, {}).update(values)
            else:
                self.settings[group] = values
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts the process and waits until it says that it is ready."""
        ARTEFACTS.mkdir(exist_ok=True)
        folder = pathlib.Path(tempfile.mkdtemp(prefix="majlis-test-"))
        configuration = folder / "majlis.json5"
        configuration.write_text(json.dumps(self.settings))
        self.log_path = ARTEFACTS / f"server-{self.name}.log"
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            in_namespace(self.namespace, [binary(), "serve", "--config", str(configuration)]),
            stdout=self.log, stderr=subprocess.STDOUT)
        until(self._ready, 15, f"{self.name}: the server is ready (see {self.log_path})")

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}; see {self.log_path}")
        return self.get("/readyz")[0] == 200

    def get(self, path):
        """Status and body of a GET, asked from the server's own namespace."""
        code = ("import sys,urllib.request as u\n"
                "try:\n r=u.urlopen(sys.argv[1],timeout=2);print(r.status);print(r.read().decode())\n"
                "except u.HTTPError as e:print(e.code);print()\n"
                "except OSError:print(0);print()\n")
        answer = subprocess.run(in_namespace(self.namespace, [sys.executable, "-c", code, self.origin + path]),
                                capture_output=True, text=True, check=True).stdout
        status, _, body = answer.partition("\n")
        return int(status), body

    def stop(self, number=signal.SIGTERM):
        """Ends it and returns its exit code."""
        if self.process is None:
            return None
        self.process.send_signal(number)
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.log.close()
        self.process = None
        return code

    def link(self, user, room, seconds=3600, claims=None, **parameters):
        """The page's address for this user."""
        fields = {"room": room, "token": token(user, room, seconds, **(claims or {})), **parameters}
        return f"{self.origin}/#{urllib.parse.urlencode(fields)}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Network namespaces.

# Bounds in seconds of wall-clock time are the product's promise on a machine that has time for it. Elsewhere, as in a
# run beside other work, only a stall is a failure: MAJLIS_STRICT_TIMES=1 (`make check-all`) asks for the promise.
def bound(promise, otherwise):
    """The promised bound, or the one for a busy machine."""
    return promise if os.environ.get("MAJLIS_STRICT_TIMES") else otherwise


def may_make_namespaces():
    """Whether namespaces can be made here: root alone is not enough in a container. Tries it."""
    name = f"majlis-{os.getpid()}-try"
    try:
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
    if made:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True)
    return made


def in_namespace(namespace, command):
    return ["ip", "netns", "exec", namespace, *command] if namespace else command


def ip(*arguments, namespace=None):
    done = subprocess.run(["ip", *(["-n", namespace] if namespace else []), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr.strip()}"


@contextlib.contextmanager
def loopback_namespace():
    """A namespace that has only `lo`."""
    name = f"majlis-{os.getpid()}-lo"
    ip("netns", "add", name)
    try:
        ip("link", "set", "lo", "up", namespace=name)
        yield name
    finally:
        ip("netns", "del", name)


@contextlib.contextmanager
def joined_namespaces(first="10.99.71.1/24", second="10.99.71.2/24"):
    """Two namespaces joined by a cable: `((name, device), (name, device))`."""
    names = [f"majlis-{os.getpid()}-{side}" for side in "ab"]
    devices = [f"mj{os.getpid() % 100_000}{side}" for side in "ab"]
    made = []
    try:
        for name in names:
            ip("netns", "add", name)
            made.append(name)
            ip("link", "set", "lo", "up", namespace=name)
            # Else an address that is taken away takes the younger ones of its network with it.
            setting = "/proc/sys/net/ipv4/conf/all/promote_secondaries"
            # And else an address of IPv6's own appears a second after the device does: a page loading right then fails
            # with ERR_NETWORK_CHANGED.
            other = "/proc/sys/net/ipv6/conf/default/disable_ipv6"
            write = f"echo 1 > {setting}; [ ! -e {other} ] || echo 1 > {other}"
            subprocess.run(in_namespace(name, ["sh", "-c", write]), check=True)
        ip("link", "add", devices[0], "netns", names[0], "type", "veth", "peer", "name", devices[1], "netns", names[1])
        for name, device, address in zip(names, devices, (first, second)):
            ip("addr", "add", address, "dev", device, namespace=name)
            ip("link", "set", device, "up", namespace=name)
        yield tuple(zip(names, devices))
    finally:
        for name in made:
            ip("netns", "del", name)


# Chromium.

# Counts what the page negotiates independently of the client library's own counters, and who is told what.
COUNTERS = """
window.seen = { setLocalDescription: 0, sent: {}, received: [] };
const original = RTCPeerConnection.prototype.setLocalDescription;
RTCPeerConnection.prototype.setLocalDescription = function (...args) {
  seen.setLocalDescription += 1;
  return original.apply(this, args);
};
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (text) {
  const { type } = JSON.parse(text);
  seen.sent[type] = (seen.sent[type] ?? 0) + 1;
  return send.call(this, text);
};
const NativeWebSocket = WebSocket;
window.WebSocket = class extends NativeWebSocket {
  constructor(...args) {
    super(...args);
    this.addEventListener('message', ({ data }) => {
      const { type, version, participant, reason } = JSON.parse(data);
      seen.received.push({ type, version, participant: participant?.id ?? participant, reason, at: Date.now() });
    });
  }
};
"""

# What one page receives, by participant: decoded frames, sound energy, whether its picture is not black.
LOOK = """async () => {
  const room = window.majlis?.room;
  if (!room?.peerConnection) return null;
  const byMid = {};
  for (const stats of (await room.peerConnection.getStats()).values()) {
    if (stats.type === 'inbound-rtp') byMid[stats.mid] = stats;
  }
  const people = {};
  for (const [id, { name, user, number }] of room.participants) {
    const one = { id, name, user, number, frames: 0, energy: 0, level: 0, showing: false, luma: null };
    people[user] = one;
    for (const slot of room.slots.values()) {
      if (slot.participant !== id || !byMid[slot.mid]) continue;
      if (slot.kind === 'audio') {
        one.energy = byMid[slot.mid].totalAudioEnergy ?? 0;
        one.level = byMid[slot.mid].audioLevel ?? 0;
        one.audioMid = slot.mid;
      } else if (slot.source === 'camera') {
        one.frames = byMid[slot.mid].framesDecoded ?? 0;
        one.showing = slot.showing;
        one.videoMid = slot.mid;
        one.size = [byMid[slot.mid].frameWidth, byMid[slot.mid].frameHeight];
      }
    }
    const video = document.querySelector(`.tile[data-key="${id}"] video`);
    if (video?.videoWidth) {
      const canvas = document.createElement('canvas');
      canvas.width = 64; canvas.height = 36;
      const context = canvas.getContext('2d', { willReadFrequently: true });
      context.drawImage(video, 0, 0, 64, 36);
      const pixels = context.getImageData(0, 0, 64, 36).data;
      let sum = 0;
      let square = 0;
      for (let i = 0; i < pixels.length; i += 4) {
        const luma = 0.299 * pixels[i] + 0.587 * pixels[i + 1] + 0.114 * pixels[i + 2];
        sum += luma; square += luma * luma;
      }
      const mean = sum / (64 * 36);
      one.luma = { mean, deviation: Math.sqrt(Math.max(0, square / (64 * 36) - mean * mean)) };
    }
  }
  return {
    self: room.self?.id, number: room.self?.number, people, state: room.state, session: window.majlis.session?.state,
    counts: { ...room.counts }, seen: { setLocalDescription: seen.setLocalDescription, sent: { ...seen.sent } },
    path: room.statistics?.path ?? null,
  };
}"""


class Page:
    """One participant's page."""

    def __init__(self, page, user):
        self.page, self.user = page, user
        self.errors = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.console = []
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))

    def look(self):
        """What this participant sees and hears now; None before it is in a room."""
        return self.page.evaluate(LOOK)

    def evaluate(self, script, argument=None):
        return self.page.evaluate(script, argument)

    def is_true(self, expression):
        return self.page.evaluate(f"() => Boolean({expression})")

    def joined(self, seconds=20):
        """Waits until this participant is in its room and connected."""
        try:
            until(lambda: self.is_true("window.majlis?.room?.state === 'connected'"), seconds,
                  f"{self.user} is connected")
        except AssertionError as error:
            text = self.page.evaluate("document.body.innerText")[:300]
            raise AssertionError(f"{error}; the page says {text!r}; {self.console[-12:]}") from None
        return self

    def sees_and_hears(self, others, seconds=25, plain=False):
        """Waits until it decodes, shows (not black, and not all of one colour unless `plain`) and hears `others`."""
        def all_there():
            now = self.look()
            missing = {}
            for user in others:
                one = (now or {}).get("people", {}).get(user)
                if not (one and one["frames"] > 5 and one["energy"] > 0 and one["showing"]
                        and one["luma"] and one["luma"]["mean"] > 8 and (plain or one["luma"]["deviation"] > 2)):
                    missing[user] = one
            all_there.missing = missing
            return now if not missing else None
        try:
            return until(all_there, seconds, f"{self.user} sees and hears {others}")
        except AssertionError as error:
            raise AssertionError(f"{error}; lacking: {json.dumps(all_there.missing)}; {self.console[-8:]}") from None

    def goes_on(self, others, seconds=6, least=5):
        """Waits until more frames and more sound of every one of `others` came than now."""
        before = self.look()["people"]
        def more():
            now = self.look()["people"]
            return all(user in now and user in before and now[user]["frames"] >= before[user]["frames"] + least
                       and now[user]["energy"] > before[user]["energy"] for user in others)
        until(more, seconds, f"media of {others} goes on for {self.user}")

    def events(self, kind):
        return [one for one in self.evaluate("() => seen.received") if one["type"] == kind]

    def screenshot(self, name):
        ARTEFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=str(ARTEFACTS / f"{name}.png"))


class Chromium:
    """Chromium processes, each killable by its own pid, in a namespace where asked."""

    def __init__(self, playwright):
        self.playwright = playwright
        self.running = []

    def launch(self, namespace=None, fake_permission=True, loopback=True, origin=None, extra=()):
        """Starts a browser; returns it with `pid` set."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="majlis-chromium-"))
        wrapper, pid_file = folder / "chromium", folder / "pid"
        command = " ".join(in_namespace(namespace, [CHROMIUM]))
        wrapper.write_text(f'#!/bin/sh\necho $$ > "{pid_file}"\nexec {command} "$@"\n')
        wrapper.chmod(0o755)
        arguments = [
            "--no-sandbox", f"--use-fake-device-for-media-stream=fps={FRAMES_PER_SECOND}", "--disable-gpu",
            "--mute-audio", "--autoplay-policy=no-user-gesture-required", "--disable-dev-shm-usage", *extra,
        ]
        if fake_permission:
            arguments.append("--use-fake-ui-for-media-stream")
        if loopback:
            arguments.append("--allow-loopback-in-peer-connection")
        if origin and not origin.startswith("http://127."):
            arguments.append(f"--unsafely-treat-insecure-origin-as-secure={origin}")
        browser = self.playwright.chromium.launch(executable_path=str(wrapper), headless=True, args=arguments)
        browser.pid = int(pid_file.read_text())
        self.running.append(browser)
        return browser

    def open(self, browser, link, user, size=(1280, 800), scheme="light", init=None):
        """Opens a page in a profile of its own."""
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
        context.add_init_script(COUNTERS)
        if init:
            context.add_init_script(init)
        page = Page(context.new_page(), user)
        page.page.goto(link)
        # A device that came up just before can still be news to the browser, which then fails what it is loading.
        if any("ERR_NETWORK_CHANGED" in line for line in page.console):
            page.console.clear()
            page.page.reload()
        return page

    def close(self):
        for browser in self.running:
            with contextlib.suppress(Exception):
                browser.close()
        self.running = []
