"""The network under the call: an address replaced, and a relay as the only way."""

import contextlib
import shutil
import socket
import subprocess
import time

import pytest

import capture_world
import rig
from conftest import needs_namespaces
from rig import ip, until

TURN_SCRIPT = rig.ROOT / "turn-config" / "start-test-turn.sh"


# Notes when a frame of somebody else is decoded; `longestPause()` is when the longest pause ended, and how long it was.
WATCH_FRAMES = """() => {
  const times = [Date.now()];
  let last = -1;
  setInterval(async () => {
    let frames = 0;
    for (const stats of (await majlis.room.peerConnection.getStats()).values()) frames += stats.framesDecoded ?? 0;
    if (frames !== last) times.push(Date.now());
    last = frames;
  }, 50);
  window.longestPause = () => times.slice(1).map((at, index) => [at, at - times[index]])
    .reduce((longest, one) => (one[1] > longest[1] ? one : longest), [0, 0]);
}"""


@needs_namespaces
@pytest.mark.parametrize("order", [
    "add-then-remove", pytest.param("remove-then-add", marks=pytest.mark.slow)])
def test_address_replaced(chromium, order):
    """Media is back within three seconds by an ICE restart: same participant, same slots."""
    with rig.joined_namespaces() as ((near, _), (far, device)):
        with rig.Server(f"network-{order}", namespace=near, host="10.99.71.1") as server:
            here = chromium.launch(namespace=near, origin=server.origin)
            there = chromium.launch(namespace=far, origin=server.origin, loopback=False)
            anna = chromium.open(here, server.link("anna", "garden", autojoin=1), "anna").joined()
            bela = chromium.open(there, server.link("bela", "garden", autojoin=1), "bela").joined()
            anna.sees_and_hears(["bela"])
            bela.sees_and_hears(["anna"])
            before = bela.look()
            for page in (anna, bela):
                page.evaluate(WATCH_FRAMES)
            changed_at = time.time()
            change = [("addr", "add", "10.99.71.3/24", "dev", device), ("addr", "del", "10.99.71.2/24", "dev", device)]
            for command in change if order == "add-then-remove" else reversed(change):
                ip(*command, namespace=far)
            until(lambda: bela.look()["counts"]["iceRestarts"] >= 1, 10, "the silence is noticed")
            for page, other in ((anna, "bela"), (bela, "anna")):
                page.goes_on([other], seconds=15)
                back_at, silence = page.evaluate("() => longestPause()")
                took = back_at / 1000 - changed_at
                print(f"{order}: {page.user} has pictures again after {took:.2f} s (pause {silence / 1000:.2f} s)")
                assert silence > 500, "the change was not felt"
                assert took < rig.bound(3, 10)
            after = bela.look()
            assert after["self"] == before["self"]
            assert after["people"]["anna"]["videoMid"] == before["people"]["anna"]["videoMid"]
            assert after["people"]["anna"]["audioMid"] == before["people"]["anna"]["audioMid"]
            assert after["counts"]["joins"] == 1
            bela.goes_on(["anna"])
            anna.goes_on(["bela"])
            assert not [one for one in anna.events("participantLeft")]
            bela.screenshot(f"network-changed-{order}")
            chromium.close()


@needs_namespaces
@pytest.mark.slow
@pytest.mark.parametrize("seconds", [15, 25])
def test_network_away(chromium, seconds):
    """A tunnel: nothing passes for a while, and the call goes on where it was. Nobody is told that anybody left."""
    with rig.joined_namespaces() as ((near, _), (far, device)):
        with rig.Server(f"away-{seconds}", namespace=near, host="10.99.71.1") as server:
            here = chromium.launch(namespace=near, origin=server.origin)
            there = chromium.launch(namespace=far, origin=server.origin, loopback=False)
            anna = chromium.open(here, server.link("anna", "garden", autojoin=1), "anna").joined()
            bela = chromium.open(there, server.link("bela", "garden", autojoin=1), "bela").joined()
            anna.sees_and_hears(["bela"])
            bela.sees_and_hears(["anna"])
            before = bela.look()
            for page in (anna, bela):
                page.evaluate(WATCH_FRAMES)
            with capture_world.cut(far, device):
                anna.page.wait_for_timeout(seconds * 1_000)
            back = time.time()
            for page, other in ((anna, "bela"), (bela, "anna")):
                page.goes_on([other], seconds=15)
                ended_at, silence = page.evaluate("() => longestPause()")
                took = ended_at / 1000 - back
                print(f"{page.user} has pictures again {took:.2f} s after the network (pause {silence / 1000:.2f} s)")
                assert silence > (seconds - 1) * 1_000, "the cut was not felt"
                assert took < rig.bound(2, 10)
            after = bela.look()
            assert after["self"] == before["self"] and after["counts"]["joins"] == 1
            assert not anna.events("participantLeft")
            chromium.close()


@pytest.mark.skipif(shutil.which("turnserver") is None, reason="coturn is not installed")
@pytest.mark.parametrize("transport", ["udp", pytest.param("tcp", marks=pytest.mark.slow)])
def test_relay(chromium, tmp_path, transport):
    """Somebody whose only way is the relay, with credentials that the server made."""
    port = rig.free_port()
    turn = subprocess.Popen([str(TURN_SCRIPT), str(port), "50000", "50100", str(tmp_path), "120"])
    try:
        until(lambda: answers(port), 10, "coturn listens")
        with rig.Server(f"relay-{transport}", turn={
                "urls": [f"turn:127.0.0.1:{port}?transport={transport}"], "secret": "majlis-test-secret"}) as server:
            browser = chromium.launch()
            anna = chromium.open(browser, server.link("anna", "garden", autojoin=1, relay=1), "anna").joined()
            bela = chromium.open(browser, server.link("bela", "garden", autojoin=1), "bela").joined()
            anna.sees_and_hears(["bela"])
            bela.sees_and_hears(["anna"])
            path = until(lambda: anna.look()["path"], 5, "there are figures")
            assert path["kind"] == "relay" and path["protocol"] == transport
            assert until(lambda: bela.look()["path"], 5, "there are figures")["kind"] == "direct"
            anna.page.click("#statistics")
            until(lambda: "relay" in anna.page.inner_text("#panel-body"), 3, "the panel says so")
            anna.screenshot(f"relay-{transport}")
    finally:
        turn.terminate()
        turn.wait(10)


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
