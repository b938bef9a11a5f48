#!/usr/bin/env python3
"""Records the offers of real browsers and shows them the answers.

Opens peer connections in Chromium and Firefox as the web client does (microphone, camera with rids q h f, screen,
receive slots), lets the test-only command AnswerOffers answer each offer, gives the answer to the browser and checks
what the browser made of it: directions, streams, three encodings of the camera. Every offer is kept in
Tests/NegotiationTests/Offers with its host addresses replaced by those of RFC 5737.

Needs Debian's chromium and firefox-esr and, from PyPI, playwright and websockets. Run it where there is no network but
loopback, since browsers send ICE checks:

    swift build --product AnswerOffers
    unshare -n sh -c 'ip link set lo up && exec python3 Tests/Browser/record_offers.py'

--check records nothing; --browser chromium|firefox limits it to one.
"""
import argparse
import asyncio
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
OFFERS = ROOT / "Tests" / "NegotiationTests" / "Offers"
TOOL = ROOT / ".build" / "debug" / "AnswerOffers"

PAGE = b"""<!doctype html><title>offers</title><script>
'use strict';
let pc, streams;
function picture() {
  const canvas = document.createElement('canvas');
  canvas.width = 1280; canvas.height = 720;
  canvas.getContext('2d').fillRect(0, 0, 9, 9);
  return canvas.captureStream(5).getVideoTracks()[0];
}
function start(policy) {
  if (pc) pc.close();
  streams = {};
  pc = new RTCPeerConnection({bundlePolicy: policy || 'max-bundle'});
  pc.ontrack = e => { streams[e.transceiver.mid] = e.streams.map(s => s.id); };
}
async function add(what) {
  const plain = {direction: 'sendonly'};
  const media = what.microphone || what.camera
    ? await navigator.mediaDevices.getUserMedia({audio: true, video: {width: 1280, height: 720}}) : null;
  if (what.data) pc.createDataChannel('x');
  if (what.microphone) pc.addTransceiver(media.getAudioTracks()[0], plain);
  if (what.camera) pc.addTransceiver(media.getVideoTracks()[0], {direction: 'sendonly', sendEncodings:
    what.camera === 'simulcast' ? [{rid: 'q', scaleResolutionDownBy: 4}, {rid: 'h', scaleResolutionDownBy: 2}, {rid: 'f'}] : [{}]});
  if (what.screen) pc.addTransceiver(picture(), plain);
  if (what.sendrecv) pc.addTrack(picture());
  for (let i = 0; i < (what.audioSlots || 0); i++) pc.addTransceiver('audio', {direction: 'recvonly'});
  for (let i = 0; i < (what.videoSlots || 0); i++) pc.addTransceiver('video', {direction: 'recvonly'});
}
async function offer(options) {
  await pc.setLocalDescription(await pc.createOffer(options || {}));
  for (let i = 0; i < 100 && pc.iceGatheringState !== 'complete'; i++) await new Promise(r => setTimeout(r, 50));
  return pc.localDescription.sdp;
}
async function answer(sdp) {
  await pc.setRemoteDescription({type: 'answer', sdp});
  return pc.getTransceivers().map(t => ({mid: t.mid, direction: t.currentDirection, stopped: !!t.stopped || t.direction === 'stopped',
    kind: t.receiver.track.kind, streams: streams[t.mid] || [],
    encodings: (t.sender.getParameters().encodings || []).map(e => e.rid || ''),
    codecs: (t.sender.getParameters().codecs || []).map(c => c.mimeType)}));
}
</script>"""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


class Chromium:
    name = "chromium"

    async def open(self, url):
        from playwright.async_api import async_playwright
        self.playwright = await async_playwright().start()
        self.browser = await self.playwright.chromium.launch(
            executable_path="/usr/bin/chromium", headless=True,
            args=["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream=fps=30",
                  "--disable-gpu", "--mute-audio", "--allow-loopback-in-peer-connection"])
        self.page = await self.browser.new_page()
        await self.page.goto(url)

    async def call(self, expression):
        return await self.page.evaluate(f"async () => JSON.stringify(await ({expression}) ?? null)")

    async def close(self):
        await self.browser.close()
        await self.playwright.stop()


class Firefox:
    """WebDriver BiDi over a web socket: Debian has no geckodriver."""
    name = "firefox"
    preferences = {
        "media.navigator.streams.fake": True, "media.navigator.permission.disabled": True,
        "media.navigator.permission.fake": True, "media.peerconnection.ice.loopback": True,
        "media.autoplay.default": 0, "browser.shell.checkDefaultBrowser": False, "app.update.enabled": False,
        "datareporting.policy.dataSubmissionEnabled": False, "toolkit.telemetry.enabled": False,
        "media.peerconnection.ice.obfuscate_host_addresses": False,
    }

    async def open(self, url):
        import websockets
        self.profile = tempfile.TemporaryDirectory()
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in self.preferences.items()]
        pathlib.Path(self.profile.name, "user.js").write_text("\n".join(lines))
        self.process = await asyncio.create_subprocess_exec(
            "firefox-esr", "--headless", "--no-remote", "--profile", self.profile.name, "--remote-debugging-port=0",
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while True:
            line = (await asyncio.wait_for(self.process.stderr.readline(), 60)).decode()
            if not line:
                raise RuntimeError("Firefox ended")
            found = re.search(r"WebDriver BiDi listening on (ws://\S+)", line)
            if found:
                break
        self.drain = asyncio.create_task(self.process.stderr.read())
        self.socket = await websockets.connect(found[1] + "/session", max_size=None)
        self.number = 0
        await self.command("session.new", {"capabilities": {}})
        tree = await self.command("browsingContext.getTree", {})
        self.context = tree["contexts"][0]["context"]
        await self.command("browsingContext.navigate", {"context": self.context, "url": url, "wait": "complete"})

    async def command(self, method, parameters):
        self.number += 1
        await self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), 60))
            if message.get("id") == self.number:
                if message["type"] == "error":
                    raise RuntimeError(f"{message['error']}: {message['message']}")
                return message["result"]

    async def call(self, expression):
        result = await self.command("script.evaluate", {
            "expression": f"(async () => JSON.stringify(await ({expression}) ?? null))()",
            "target": {"context": self.context}, "awaitPromise": True})
        if result["type"] == "exception":
            raise RuntimeError(result["exceptionDetails"]["text"])
        return result["result"]["value"]

    async def close(self):
        await self.socket.close()
        self.process.terminate()
        await self.process.wait()
        await self.drain
        self.profile.cleanup()


def without_addresses(sdp):
    """Host addresses become documentation ones; nothing else changes."""
    sdp = re.sub(r"(?m)^(a=candidate:\S+ \d+ \S+ \d+ )(\d+\.\d+\.\d+\.\d+) ", r"\g<1>192.0.2.1 ", sdp)
    sdp = re.sub(r"(?m)^(a=candidate:\S+ \d+ \S+ \d+ )([0-9a-fA-F]*:[0-9a-fA-F:]*) ", r"\g<1>2001:db8::1 ", sdp)
    sdp = re.sub(r"raddr \d+\.\d+\.\d+\.\d+", "raddr 192.0.2.1", sdp)
    return re.sub(r"(?m)^(c=IN IP4|a=rtcp:\d+ IN IP4) (?!0\.0\.0\.0)\d+\.\d+\.\d+\.\d+", r"\1 192.0.2.1", sdp)


class Session:
    """One peer connection and the offers it made."""

    def __init__(self, browser, name, folder, arguments):
        self.browser, self.name, self.folder, self.arguments = browser, name, folder, arguments
        self.files = []

    async def round(self, step, options=None):
        sdp = json.loads(await self.browser.call(f"offer({json.dumps(options or {})})"))
        file = self.folder / f"{self.browser.name}-{self.name}{'-' + step if step else ''}.sdp"
        file.write_bytes(without_addresses(sdp).encode())
        self.files.append(file)
        done = subprocess.run([TOOL, *self.arguments, *self.files], capture_output=True)
        note, text = done.stderr.decode().strip().replace("\n", "; "), done.stdout.decode()
        if done.returncode:
            raise RuntimeError(f"{file.name}: {note}")
        state = json.loads(await self.browser.call(f"answer({json.dumps(text)})"))
        print(f"ok {file.name}: {len(sdp)} bytes, answer {len(text)} bytes; {note}")
        return {t["mid"]: t for t in state if t["mid"] is not None}, text, note


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


async def scenarios(browser, folder):
    async def session(name, what, arguments=(), policy="max-bundle"):
        await browser.call(f"start({json.dumps(policy)})")
        await browser.call(f"add({json.dumps(what)})")
        return Session(browser, name, folder, list(arguments))

    everything = {"microphone": 1, "camera": "simulcast", "screen": 1, "audioSlots": 4, "videoSlots": 8}
    join = await session("join", everything, ["--tracks", "2:screen"])
    state, answer, _ = await join.round("")
    expect([state[str(i)]["direction"] for i in range(15)] == ["sendonly"] * 3 + ["recvonly"] * 12, state)
    expect(state["1"]["encodings"] == ["q", "h", "f"], state["1"])
    expect(state["3"]["streams"] == state["7"]["streams"] == ["slot0"], state["3"])
    expect(state["6"]["streams"] == state["10"]["streams"] == ["slot3"], state["6"])
    expect(state["11"]["streams"] == ["video4"], state["11"])
    state, _, _ = await join.round("again")
    expect(state["1"]["encodings"] == ["q", "h", "f"], state["1"])
    state, _, note = await join.round("restart", {"iceRestart": True})
    expect("ICE restart: true" in note, note)
    await browser.call("add({audioSlots: 1, videoSlots: 2})")
    state, _, _ = await join.round("more-slots")
    expect(state["17"]["direction"] == "recvonly", state)
    await browser.call("pc.getTransceivers()[2].stop()")
    state, answer, _ = await join.round("screen-stopped")
    expect("2" not in state or state["2"]["stopped"], state)
    await browser.call("add({screen: 1})")
    state, answer, _ = await join.round("screen-recycled")
    await browser.call("pc.getTransceivers()[0].direction = 'inactive'")
    state, answer, _ = await join.round("microphone-inactive")
    expect(state["0"]["direction"] == "inactive" and state["1"]["encodings"] == ["q", "h", "f"], state)

    await browser.call("pc.getTransceivers()[1].direction = 'inactive'")
    state, answer, _ = await join.round("camera-inactive")
    expect(state["1"]["direction"] == "inactive", state["1"])
    await browser.call("pc.getTransceivers()[1].direction = 'sendonly'")
    state, answer, _ = await join.round("camera-back")
    # Firefox offers no simulcast in an inactive section and forgets all encodings but one, whatever is answered.
    left = ["q", "h", "f"] if browser.name == "chromium" else ["q"]
    expect(state["1"]["direction"] == "sendonly" and state["1"]["encodings"] == left, state["1"])

    viewer = await session("viewer", {"audioSlots": 4, "videoSlots": 8})
    state, _, _ = await viewer.round("")
    expect(all(t["direction"] == "recvonly" for t in state.values()) and len(state) == 12, state)

    audio = await session("audio", {"microphone": 1, "audioSlots": 4})
    state, _, _ = await audio.round("")
    expect(state["0"]["direction"] == "sendonly", state)

    data = await session("data-channel", {"data": 1, "microphone": 1, "camera": "simulcast", "audioSlots": 1, "videoSlots": 1})
    state, _, _ = await data.round("")
    sending = [t for t in state.values() if t["direction"] == "sendonly"]
    expect(len(sending) == 2, state)

    both = await session("sendrecv", {"sendrecv": 1}, policy="balanced")
    state, _, _ = await both.round("")
    expect([t["direction"] for t in state.values()] == ["sendonly"], state)

    refused = await session("not-permitted", everything, ["--permit", "screen", "--tracks", "2:screen"])
    state, _, _ = await refused.round("")
    expect([state[str(i)]["direction"] for i in range(2, 15)] == ["sendonly"] + ["recvonly"] * 12, state)

    expect(state["0"]["direction"] == "inactive" and ("1" not in state or state["1"]["stopped"]), state)

    foreign = await session("foreign-codec", {"camera": "simulcast", "audioSlots": 2}, ["--codecs", "opus"])
    state, _, _ = await foreign.round("")
    expect([state[str(i)]["direction"] for i in range(3)] == ["inactive", "recvonly", "recvonly"], state)

    codecs = await session("codecs", {"camera": "simulcast", "screen": 1, "audioSlots": 1, "videoSlots": 2},
                           ["--codecs", "opus,h264,av1,vp9,vp8"], policy="max-compat")
    state, _, _ = await codecs.round("")
    expect(state["0"]["encodings"] == ["q", "h", "f"], state["0"])
    print("  codecs of the camera:", state["0"]["codecs"])


async def run(arguments):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) if arguments.check else OFFERS
        for browser in [Chromium(), Firefox()]:
            if arguments.browser not in (None, browser.name):
                continue
            await browser.open(f"http://127.0.0.1:{server.server_port}/")
            try:
                await scenarios(browser, folder)
            finally:
                await browser.close()
    print("Every answer was accepted.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--browser", choices=["chromium", "firefox"])
    os.environ.setdefault("MOZ_DISABLE_CONTENT_SANDBOX", "1")
    asyncio.run(run(parser.parse_args()))
    sys.exit(0)
