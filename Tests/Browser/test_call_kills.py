"""kill -9 of the server during one-to-one calls in real browsers: what flows from device to device flows on, the clients find the server
again by themselves, and what is kept of the calls is there once."""

import json
import os
import random
import signal
import time
import urllib.request

import pytest

import call_world
import rig
from call_world import Person, gap
from rig import until

slow = pytest.mark.slow
ROUNDS = int(os.environ.get("MAJLIS_CALL_KILLS", "4"))

# Every state of the direct connection that the browser reports, since it was there first.
WATCH = """() => {
  window.states = [];
  const pc = majlis.call.link.peerConnection;
  pc.addEventListener('connectionstatechange', () => states.push(pc.connectionState));
  window.watched = pc;
}"""


@pytest.fixture
def kept(tmp_path):
    """A server whose calls are in a file, and that can be killed and started again on its port."""
    with rig.Server("call-kills", storage={"path": str(tmp_path / "majlis.db")}, **call_world.settings()) as started:
        yield started


def seeded():
    """Chance that can be had again."""
    seed = int(os.environ.get("MAJLIS_SEED", time.time_ns() % 1_000_000))
    print(f"{ROUNDS} kills, MAJLIS_SEED={seed}")
    return random.Random(seed)


def records(server, user):
    """The past calls of a user, as operators are told of them."""
    token = rig.token("operator", "*", admin=True)
    request = urllib.request.Request(
        f"{server.origin}/v1/users/{user}/calls", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)["calls"]


def kill(server, chance, longest):
    """Kills the server and starts it again after up to so many seconds."""
    server.stop(signal.SIGKILL)
    time.sleep(chance.uniform(0, longest))
    server.start()


def back(page, times):
    """Waits until the page's session is another and its call is its own again, for the so manieth time."""
    until(lambda: page.rig.is_true("majlis.session.state === 'open'"), 15, f"{page.user} is connected again")
    until(lambda: len(page.messages("call.reattached")) >= times, 10, f"{page.user} has its call again")


@slow
def test_kills_during_a_call(kept, chromium):
    """The server is killed at random moments of one call: its sound and picture go on, and both devices come back to it."""
    chance = seeded()
    browser = chromium.launch()
    anna = Person(chromium, browser, kept, "anna", size=(640, 480), init=call_world.tone())
    bela = Person(chromium, browser, kept, "bela", size=(640, 480), init=call_world.tone())
    both = (anna, bela)
    anna.dial("bela")
    bela.rings().accept()
    for page in both:
        page.talks()
        page.evaluate(WATCH)
        page.evaluate("() => startRecording()")
    name = anna.look()["id"]
    gaps = []
    for number in range(1, ROUNDS + 1):
        # Also while the devices are still busy with the last one: what they say to each other then is lost on the way.
        time.sleep(chance.uniform(0, 3))
        kill(kept, chance, 1.5)
        for page in both:
            page.goes_on()
        for page in both:
            back(page, number)
            now = page.look()
            assert (now["state"], now["id"], now["usesRoom"]) == ("active", name, False), now
            page.goes_on()
        if number % 10 and number != ROUNDS:
            continue
        for page in both:
            longest, length = gap(page)
            gaps.append(longest)
            print(f"kill {number}: {page.user} heard no longer gap than {longest:.0f} ms in {length / 1000:.1f} s")
            page.evaluate("() => { peaks.length = 0; }")
    print(f"longest gaps over {ROUNDS} kills, in ms: {' '.join(f'{one:.0f}' for one in gaps)}")
    assert max(gaps) < rig.bound(100, 500)
    for page in both:
        # The connection is the first one, and the browser never missed it.
        assert page.evaluate("() => majlis.call.link.peerConnection === watched")
        assert page.evaluate("() => states") == [], page.evaluate("() => states")
        now = page.look()
        assert (now["local"], now["remote"]) == ("host", "host")
    # What goes by the server works as before: a hold, and the end.
    anna.page.click("#hold")
    until(lambda: bela.page.inner_text("#call-status") == "Anna has put the call on hold", 5, "bela is told")
    anna.page.click("#hold")
    until(lambda: bela.page.inner_text("#call-status") == "", 5, "and told again")
    for page in both:
        page.goes_on()
    bela.page.click("#hang-up")
    assert "The call has ended." in anna.is_over() and "You ended the call." in bela.is_over()
    until(lambda: [(one["call"], one["reason"], one["path"]) for one in records(kept, "anna")] == [(name, "hungUp", "direct")], 5,
          "the record is there, once")
    for page in both:
        assert not page.rig.errors


@slow
def test_kills_while_a_call_begins(kept, chromium):
    """The server is killed at random moments from the dialling until media flows: both pages come to the same, and can call again."""
    chance = seeded()
    browser = chromium.launch()
    # A new pair each time: nobody may ring the same person again and again.
    ends = {}
    for number in range(ROUNDS):
        users = [f"{name}{number}" for name in ("anna", "bela")]
        anna, bela = (Person(chromium, browser, kept, user, size=(640, 480), init=call_world.tone()) for user in users)
        anna.dial(users[1])
        if number % 2:
            bela.rings()
            bela.evaluate("() => { setTimeout(() => document.getElementById('accept-video').click(), 0); }")
        time.sleep(chance.uniform(0, 0.4))
        kill(kept, chance, 1)
        for page in (anna, bela):
            until(lambda: page.rig.is_true("majlis.session.state === 'open'"), 15, f"{page.user} is connected again")

        def settled():
            # Neither rings, looks for the other, or is alone in a call.
            seen = [page.look() for page in (anna, bela)]
            ringing = any(page.page.locator("#incoming").is_visible() for page in (anna, bela))
            states = [one and one["state"] for one in seen]
            return not ringing and states in ([None, None], ["active", "active"]) and states
        states = until(settled, 45, f"both sides of call {number} agree")
        outcome = "active" if states[0] else "over"
        ends[outcome] = ends.get(outcome, 0) + 1
        if outcome == "active":
            for page in (anna, bela):
                page.talks()
                page.goes_on()
            anna.page.click("#hang-up")
            bela.is_over()
        for page in (anna, bela):
            calls = [one["call"] for one in records(kept, page.user)]
            assert len(calls) == len(set(calls)) <= 1, calls
            missed = page.evaluate("() => majlis.calls.missed.map(({ call }) => call)")
            assert len(missed) == len(set(missed)) <= 1, missed
            assert not page.rig.errors
            page.page.context.close()
    print(f"after {ROUNDS} kills while a call began: {ends}")
