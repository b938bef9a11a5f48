"""Real simulcast on narrow links: Chromium sends three layers and a voice, and each receiver gets what its own link carries, with
whole sound, and without a freeze when the layer changes."""

import contextlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

import link_world
import rig
import tun_link
from conftest import needs_namespaces
from link_world import goes_by, notes, sends_three, source, star
from rig import ARTEFACTS, until
from side_by_side import UserLink

SIZE = [960, 540]
# Of the sound that is played so much may be made up where somebody spoke: 2 ms of a second.
MOST_CONCEALED = 0.002


@contextlib.contextmanager
def call(name, chromium, links):
    """Anna sends; the others watch, each behind a link of so many kb/s: `(anna, {user: page}, {user: arm})`. The recording of a
    call that fails is kept."""
    with star(["anna", *links]) as (hub, arms), tempfile.TemporaryDirectory(prefix="majlis-links-") as folder:
        captures = {"record": "headers", "folder": folder, "flightRecorder": False}
        kept = ARTEFACTS / f"{name}.pcapng"
        kept.unlink(missing_ok=True)
        try:
            with rig.Server(name, namespace=hub, host=link_world.SERVER_ADDRESS, captures=captures) as server:
                yield from watched(name, chromium, server, arms, links)
        except BaseException:
            # Complete only now that the server has ended.
            for file in pathlib.Path(folder).rglob("*.pcapng"):
                shutil.copy(file, kept)
            raise


def watched(name, chromium, server, arms, links):
    browsers = {user: chromium.launch(namespace=arm.namespace, origin=server.origin, loopback=False)
                for user, arm in arms.items()}
    anna = chromium.open(browsers["anna"], server.link("anna", "garden", autojoin=1), "anna", init=source(SIZE)).joined()
    anna.evaluate("() => voice.speak(600)")
    watching = {}
    for user, kilobits in links.items():
        arms[user].narrow(kilobits)
        watching[user] = chromium.open(browsers[user], server.link(user, "garden", autojoin=1), user, size=(1280, 900),
                                       init=source()).joined()
        watching[user].evaluate(link_world.WATCH)
    sends_three(anna)
    try:
        yield anna, watching, arms
    finally:
        with contextlib.suppress(Exception):
            for page in watching.values():
                page.screenshot(f"{name}-{page.user}")
        chromium.close()


def settled(page, anna, accepts, what, seconds=45, least=4):
    """Waits until a receiver has been given what is accepted for so many seconds."""
    def calm():
        now = notes(page, time.time() - least)
        return len(now.samples) > least * 3 and all(one["slot"] and accepts(one["slot"]) for one in now.samples) and now
    took = time.monotonic()
    try:
        now = until(calm, seconds, what)
    except AssertionError as error:
        raise AssertionError(f"{error}; {notes(page, time.time() - 20).told()}") from None
    print(f"{page.user} has settled after {time.monotonic() - took:.1f} s")
    return now


def sized(height):
    return lambda slot: slot.get("height") == height and slot["status"] != "paused"


def smallest(slot):
    """The lowest layer, not with all its frames; or nothing."""
    return slot["status"] in ("paused", "awaitingKeyFrame") or slot.get("height") == SIZE[1] // 4


def tell(page, noted, what):
    print(f"{what}: {page.user} {noted.shares}, video {noted.kilobits():.0f} kb/s, frames {noted.heights()}, "
          f"freezes {noted.grown('video', 'freezeCount')} of {noted.grown('video', 'totalFreezesDuration'):.2f} s, gaps "
          f"{noted.gaps()}, estimate {noted.samples[-1]['estimate']}; audio {noted.kilobits('audio'):.0f} kb/s, lost "
          f"{noted.grown('audio', 'packetsLost')}, concealed {noted.concealed():.4f}, "
          f"played {noted.grown('audio', 'totalSamplesDuration'):.1f} of {noted.seconds:.1f} s")


def heard_whole(noted):
    """Nothing of the sound was lost, and it went on all the time."""
    assert noted.grown("audio", "packetsLost") == 0, f"{noted.grown('audio', 'packetsLost')} packets of sound lost"
    assert noted.concealed() <= rig.bound(MOST_CONCEALED, 0.02), f"{noted.concealed():.2%} of the sound was made up"
    assert noted.grown("audio", "totalSamplesDuration") > 0.9 * noted.seconds - 0.3


def never_froze(noted, what):
    gaps = noted.gaps(rig.bound(0.5, 1.0))
    assert not gaps, f"{what}: frozen at {gaps}"


def changes(page, anna, change, accepts, what, seconds=40):
    """Changes something, waits until the receiver has been given something else, and looks for a freeze on the way."""
    since = time.time()
    change()
    settled(page, anna, accepts, what, seconds, least=3)
    noted = notes(page, since, sender=anna)
    tell(page, noted, what)
    never_froze(noted, what)


@needs_namespaces
def test_one_link(chromium):
    """500 kb/s carry the middle layer with whole sound; 2 Mb/s then the highest, and no freeze when it comes."""
    with call("links-one", chromium, {"bela": 500}) as (anna, watching, arms):
        bela = watching["bela"]
        settled(bela, anna, sized(270), "bela has the middle layer", 30, least=3)
        since = time.time()
        goes_by(bela, 5)
        noted = notes(bela, since, sender=anna)
        tell(bela, noted, "500 kb/s")
        heard_whole(noted)
        never_froze(noted, "500 kb/s")
        changes(bela, anna, lambda: arms["bela"].narrow(2_000), sized(540), "2 Mb/s: bela has the highest layer", 25)
        assert not bela.errors and not anna.errors


@pytest.mark.slow
@needs_namespaces
def test_three_links(chromium):
    """2 Mb/s, 500 kb/s and 150 kb/s carry the highest, the middle and a part of the lowest layer."""
    with call("links-three", chromium, {"bela": 2_000, "carl": 500, "dora": 150}) as (anna, watching, arms):
        bela, carl, dora = (watching[user] for user in ("bela", "carl", "dora"))
        settled(bela, anna, sized(540), "bela has the highest layer")
        settled(carl, anna, sized(270), "carl has the middle layer")
        settled(dora, anna, smallest, "dora has the lowest layer or none")
        since = time.time()
        goes_by(anna, 30)
        seen = {user: notes(page, since, sender=anna) for user, page in watching.items()}
        for user, noted in seen.items():
            tell(watching[user], noted, "steady")
        for user, height in (("bela", 540), ("carl", 270)):
            frames = seen[user].heights()
            assert frames.get(height, 0) >= 0.95 * sum(frames.values()), f"{user} saw {frames}"
            never_froze(seen[user], "steady")
        assert set(seen["dora"].heights()) <= {135}, "dora saw a layer that her link does not carry"
        for noted in seen.values():
            heard_whole(noted)

        # Windows.
        changes(bela, anna, lambda: bela.page.set_viewport_size({"width": 420, "height": 420}),
                lambda slot: slot.get("height", 540) < 540, "bela's window is small")
        changes(bela, anna, lambda: bela.page.set_viewport_size({"width": 1280, "height": 900}), sized(540),
                "bela's window is large again")
        # Links.
        changes(carl, anna, lambda: arms["carl"].narrow(2_000), sized(540), "carl's link carries 2 Mb/s")
        changes(carl, anna, lambda: arms["carl"].narrow(500), sized(270), "carl's link carries 500 kb/s again")
        # The sound of the narrowest link, over all of this.
        noted = notes(dora, since, sender=anna)
        tell(dora, noted, "all the time")
        heard_whole(noted)
        for page in (anna, bela, carl, dora):
            assert not page.errors


# Sends numbered packets of 1,000 bytes at 1 Mb/s for so many seconds, with the time in each.
BLAST = """
import socket, struct, sys, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
began = time.time()
for number in range(int(float(sys.argv[2]) * 125)):
    time.sleep(max(0, began + number / 125 - time.time()))
    out.sendto(struct.pack("<Qd", number, time.time()).ljust(972, b"."), (sys.argv[1], 9))
"""

# Prints when each packet came: its number, seconds on the way, seconds since the first.
LISTEN = """
import socket, struct, sys, time
into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
into.bind((sys.argv[1], 9))
into.settimeout(1.5)
print("ready", flush=True)
first = None
try:
    while True:
        number, sent = struct.unpack_from("<Qd", into.recv(2000))
        now = time.time()
        first = first or now
        print(number, now - sent, now - first)
except TimeoutError:
    pass
"""


@needs_namespaces
@pytest.mark.skipif(not pathlib.Path("/dev/net/tun").exists(), reason="there are no TUN devices")
def test_user_link():
    """The link in user space that calls are held against: half of 1 Mb/s comes at its rate, in order, after its delay and queue."""
    with contextlib.ExitStack() as stack:
        link = UserLink(stack)
        stack.callback(link.close)
        link.change(kilobits=500, delay=40, queue=200)
        far = tun_link.ADDRESSES[1]
        listener = subprocess.Popen(rig.in_namespace(link.receiver, [sys.executable, "-c", LISTEN, far]),
                                    stdout=subprocess.PIPE, text=True)
        assert listener.stdout.readline() == "ready\n"
        subprocess.run(rig.in_namespace(link.sender, [sys.executable, "-c", BLAST, far, "3"]), check=True)
        rows = [line.split() for line in listener.communicate(timeout=20)[0].splitlines()]
        numbers, waits, times = [int(row[0]) for row in rows], [float(row[1]) for row in rows], [float(row[2]) for row in rows]
        kilobits = (len(rows) - 1) * 8 / times[-1]
        print(f"{len(rows)} of 375 packets, {kilobits:.0f} kb/s, {min(waits) * 1000:.0f} to {max(waits) * 1000:.0f} ms")
        assert numbers == sorted(numbers)
        assert abs(kilobits - 500) < rig.bound(15, 50)
        # Its delay and the 16 ms that a packet takes; and the queue in front of that.
        assert 0.055 <= min(waits) < 0.055 + rig.bound(0.01, 0.1)
        assert 0.22 < max(waits) < 0.3 + rig.bound(0, 0.2)
        assert max(wait for _, wait in link.queue()) > 180
