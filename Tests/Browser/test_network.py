"""The network under the call: an address replaced, and a relay as the only way."""

import pathlib
import subprocess
import time

import pytest

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
@pytest.mark.parametrize("order", ["add-then-remove", "remove-then-add"])
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
                assert took < 3
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


@pytest.mark.skipif(not TURN_SCRIPT.exists(), reason="turn-config/start-test-turn.sh is not there")
@needs_namespaces
def test_relay(chromium):
    """Two people whose only way is the relay."""
    with rig.loopback_namespace() as namespace:
        turn = subprocess.Popen(rig.in_namespace(namespace, [str(TURN_SCRIPT)]), stdout=subprocess.PIPE, text=True)
        try:
            with rig.Server("relay", namespace=namespace, turn={
                    "urls": ["turn:127.0.0.1:3478?transport=udp"], "secret": turn_secret()}) as server:
                browser = chromium.launch(namespace=namespace)
                anna = chromium.open(browser, server.link("anna", "garden", autojoin=1, relay=1), "anna").joined()
                bela = chromium.open(browser, server.link("bela", "garden", autojoin=1), "bela").joined()
                anna.sees_and_hears(["bela"])
                bela.sees_and_hears(["anna"])
                path = until(lambda: anna.look()["path"], 5, "there are figures")
                assert path["kind"] == "relay"
                anna.page.click("#statistics")
                until(lambda: "relay" in anna.page.inner_text("#panel-body"), 3, "the panel says so")
                anna.screenshot("relay")
                chromium.close()
        finally:
            turn.terminate()
            turn.wait(5)


def turn_secret():
    """The shared secret of the test configuration."""
    for path in sorted(pathlib.Path(TURN_SCRIPT.parent).iterdir()):
        if path.is_file():
            for line in path.read_text().splitlines():
                if "static-auth-secret=" in line and not line.strip().startswith("#") and "test" in path.name:
                    return line.split("static-auth-secret=")[1].split()[0].strip("'\"")
    raise AssertionError("no static-auth-secret in turn-config's test files")
