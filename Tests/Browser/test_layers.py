"""Layers that nobody needs are not sent: what the client library does with `layers`, and the whole way from a receiver's window to
a publisher's encoder."""

import json
import os

import pytest

from firefox import FIREFOX, Firefox
from rig import Server, until

# What each encoding of the camera sent so far, and whether it is on.
SENDING = """async () => {
  const room = window.majlis.room;
  const transceiver = room.peerConnection.getTransceivers().find(({ mid }) => room.sourceOf(mid) === 'camera');
  const sent = {};
  for (const { type, kind, rid, framesSent, scalabilityMode } of (await transceiver.sender.getStats()).values()) {
    if (type === 'outbound-rtp' && kind === 'video') sent[rid] = { frames: framesSent ?? 0, mode: scalabilityMode };
  }
  for (const { rid, active } of transceiver.sender.getParameters().encodings) {
    sent[rid] = { frames: 0, ...sent[rid], active };
  }
  return sent;
}"""

# The room is told this, as if by the server.
TELL = """(active) => {
  const room = window.majlis.room;
  const { mid } = room.peerConnection.getTransceivers().find(({ mid }) => room.sourceOf(mid) === 'camera');
  const encodings = Object.entries(active).map(([rid, isActive]) => ({ rid, active: isActive }));
  majlis.session.dispatchEvent(new CustomEvent('message', { detail: { type: 'layers', mid, encodings } }));
}"""

# Counts events, and makes `setParameters` fail as often as is said.
WATCH = """() => {
  window.watched = { layers: [], errors: [], calls: 0, atOnce: 0, most: 0, failures: 0 };
  const room = window.majlis.room;
  room.addEventListener('layers', ({ detail }) => watched.layers.push(detail));
  room.addEventListener('error', ({ detail }) => watched.errors.push(detail.error.message));
  window.addEventListener('unhandledrejection', ({ reason }) => watched.errors.push(`unhandled: ${reason}`));
  const set = RTCRtpSender.prototype.setParameters;
  RTCRtpSender.prototype.setParameters = async function (parameters) {
    watched.calls += 1;
    watched.atOnce += 1;
    watched.most = Math.max(watched.most, watched.atOnce);
    try {
      if (watched.failures > 0) {
        watched.failures -= 1;
        throw new DOMException('made to fail', 'InvalidStateError');
      }
      return await set.call(this, parameters);
    } finally {
      watched.atOnce -= 1;
    }
  };
}"""


@pytest.fixture
def silent(request):
    """A server that says nothing of layers by itself."""
    with Server(request.node.name, media={"adaptBitrate": False}) as started:
        yield started


def active(page):
    return {rid: one["active"] for rid, one in page.evaluate(SENDING).items()}


def sends_only(page, rids, seconds=15):
    """Waits until exactly these layers send frames."""
    before = page.evaluate(SENDING)

    def more():
        nonlocal before
        now = page.evaluate(SENDING)
        moving = {rid for rid, one in now.items() if one["frames"] > before.get(rid, {"frames": 0})["frames"]}
        before = now
        return now if moving == set(rids) else None
    def twice():
        page.page.wait_for_timeout(700)
        return more()
    return until(twice, seconds, f"{page.user} sends {rids} and no other layer")


def test_layers_are_set(silent, chromium):
    """The library sets what it is told, one call after another, the newest last; failures are tried again and then told."""
    server = silent
    browser = chromium.launch()
    anna = chromium.open(browser, server.link("anna", "garden", autojoin=1), "anna").joined()
    bela = chromium.open(browser, server.link("bela", "garden", autojoin=1), "bela").joined()
    bela.sees_and_hears(["anna"])
    started = until(lambda: (now := anna.evaluate(SENDING)) and all(one["frames"] for one in now.values()) and now, 20,
                    "all three layers are sent")
    assert set(started) == {"q", "h", "f"}
    assert {one["mode"] for one in started.values()} == {"L1T3"}
    assert active(anna) == {"q": True, "h": True, "f": True}

    anna.evaluate(WATCH)
    anna.evaluate(TELL, {"q": True, "h": True, "f": False})
    sends_only(anna, "qh")
    assert anna.evaluate("() => watched.layers")[0]["source"] == "camera"
    anna.evaluate(TELL, {"q": True, "h": True, "f": True})
    sends_only(anna, "qhf")
    bela.goes_on(["anna"])

    # A storm of them, with a rid that there is not: never two calls at once, and the newest stands.
    anna.evaluate("""(tell) => {
      const one = eval(tell);
      for (let i = 0; i < 40; i += 1) one({ q: true, h: i % 2 === 0, f: i % 3 === 0, x: true });
      one({ q: true, h: false, f: false });
    }""", TELL)
    until(lambda: active(anna) == {"q": True, "h": False, "f": False}, 5, "the newest stands")
    seen = anna.evaluate("() => watched")
    assert seen["most"] == 1 and seen["calls"] < 10 and not seen["errors"]

    # It fails twice, and is tried again.
    anna.evaluate("() => { watched.failures = 2; }")
    anna.evaluate(TELL, {"q": True, "h": True, "f": True})
    until(lambda: all(active(anna).values()), 8, "set at the third try")
    assert not anna.evaluate("() => watched.errors")
    # It fails for good, and that is told once; the next message is tried anew.
    anna.evaluate("() => { watched.failures = 4; }")
    anna.evaluate(TELL, {"q": True, "h": True, "f": False})
    until(lambda: anna.evaluate("() => watched.errors") == ["made to fail"], 15, "given up and told")
    anna.evaluate(TELL, {"q": True, "h": True, "f": False})
    until(lambda: active(anna)["f"] is False, 5, "the next message is tried")

    # The camera off and on is the same track; a stay in a room that begins anew begins with all layers.
    anna.page.click("#camera")
    anna.page.click("#camera")
    bela.goes_on(["anna"], seconds=15)
    assert active(anna)["f"] is False
    anna.evaluate("async () => { await majlis.session.request({ type: 'leave' }); await majlis.room.join(); }")
    anna.joined()
    until(lambda: active(anna) == {"q": True, "h": True, "f": True}, 10, "all layers after joining again")
    assert not anna.errors and not bela.errors


@pytest.mark.slow
def test_ladders(server, chromium):
    """The camera's layers by the option `ladder`, and temporal layers where the browser takes them."""
    browser = chromium.launch()
    for ladder, heights in (("1080", [180, 360, 720]), ("720", [240, 480, 720])):
        page = chromium.open(
            browser, server.link("anna", f"garden-{ladder}", autojoin=1, ladder=ladder), "anna").joined()
        found = until(lambda: (now := page.evaluate("""() => {
          const camera = (majlis.room.statistics?.sending ?? []).filter(({ rid, height }) => rid && height);
          return camera.length === 3 ? camera.map(({ rid, height }) => [rid, height]) : null;
        }""")) and now, 60, f"three layers of the ladder {ladder}")
        assert sorted(found, key=lambda one: one[1]) == [list(one) for one in zip("qhf", heights)]
        page.page.close()


def test_nobody_watches(server, chromium):
    """Small windows need small layers alone: the rest is paused at the sender, and back when a large window comes."""
    browser = chromium.launch()
    anna = chromium.open(browser, server.link("anna", "garden", autojoin=1), "anna").joined()
    bela = chromium.open(
        browser, server.link("bela", "garden", autojoin=1), "bela", size=(320, 480)).joined()
    bela.sees_and_hears(["anna"])
    until(lambda: active(anna)["f"] is False, 20, "anna's highest layer is paused: bela's window is small")
    sends_only(anna, [rid for rid, is_active in active(anna).items() if is_active])
    bela.goes_on(["anna"])

    # Somebody with a large window comes: the layer is back, and is what they get.
    carl = chromium.open(
        browser, server.link("carl", "garden", autojoin=1), "carl", size=(1600, 1200)).joined()
    carl.sees_and_hears(["anna"])
    until(lambda: active(anna)["f"] is True, 10, "anna's highest layer is wanted again")
    until(lambda: carl.look()["people"]["anna"]["size"] == [1280, 720], 20, "carl sees the highest layer")

    # They leave: paused again, and the others never noticed.
    carl.page.click("#leave")
    until(lambda: active(anna)["f"] is False, 20, "paused again")
    bela.goes_on(["anna"])
    for page in (anna, bela, carl):
        assert not page.errors


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists(FIREFOX), reason="firefox-esr is not installed")
def test_layers_in_firefox(silent, chromium):
    """Firefox sets what it is told as well, and sends on with what is left."""
    server = silent
    browser = chromium.launch()
    anna = chromium.open(browser, server.link("anna", "garden", autojoin=1), "anna").joined()
    firefox = Firefox()
    try:
        firefox.open(server.link("fox", "garden", autojoin=1))
        until(lambda: firefox.evaluate("() => window.majlis?.room?.state === 'connected'"), 30, "Firefox is connected")
        anna.sees_and_hears(["fox"], plain=True)

        def fox(script, argument=None):
            return firefox.evaluate(f"() => ({script})({json.dumps(argument)})")

        def is_active():
            return {rid: one["active"] for rid, one in fox(SENDING).items()}
        assert is_active() == {"q": True, "h": True, "f": True}
        fox(WATCH)
        for wanted in ({"q": True, "h": True, "f": False}, {"q": True, "h": False, "f": False, "x": True}):
            fox(TELL, wanted)
            until(lambda: is_active() == {rid: wanted[rid] for rid in "qhf"}, 8, f"Firefox set {wanted}")
        anna.goes_on(["fox"], seconds=15)
        before = fox(SENDING)
        anna.page.wait_for_timeout(2000)
        after = fox(SENDING)
        moving = {rid for rid in "qhf" if after[rid]["frames"] > before[rid]["frames"]}
        assert moving == {"q"}, (before, after)
        fox(TELL, {"q": True, "h": True, "f": True})
        until(lambda: all(is_active().values()), 8, "all are on again")
        seen = fox("() => watched")
        assert seen["most"] == 1 and not seen["errors"], seen
    finally:
        firefox.close()
