"""One-to-one calls in real browsers: rung, accepted, direct, relayed, through the server, with a third, and cut off."""

import json
import os
import re
import subprocess
import time

import pytest

import call_world
import rig
from call_world import Person, forwarded, gap, needs_turn, turn_server
from conftest import needs_namespaces
from rig import until

slow = pytest.mark.slow


@pytest.fixture
def line(request, chromium):
    """A server that serves calls."""
    with rig.Server(re.sub(r"\W+", "-", request.node.name), **call_world.settings()) as started:
        yield started


def test_call(line, chromium):
    """Two tabs of the callee ring and one has the call; it is direct, and the server carries nothing of it."""
    browser = chromium.launch()
    anna = Person(chromium, browser, line, "anna", contacts="bela,carl")
    bela = Person(chromium, browser, line, "bela", size=(390, 844), scheme="dark")
    other = Person(chromium, browser, line, "bela")
    until(lambda: anna.evaluate("() => majlis.calls.presence(['bela', 'carl']).then((set) => [...set])") == ["bela"], 5,
          "anna knows who is there")
    anna.dial("bela")
    for tab in (bela, other):
        tab.rings()
        assert tab.page.inner_text("#incoming-name") == "Anna"
    until(lambda: anna.page.inner_text("#call-status") == "Ringing…", 5, "anna is told that it rings")
    assert anna.evaluate("() => majlis.ringer.playing") == "ringBack" and bela.evaluate("() => majlis.ringer.playing") == "ring"
    anna.screenshot("call-ringing")
    bela.screenshot("call-incoming-phone-dark")
    other.screenshot("call-incoming")

    # With the keyboard alone.
    bela.page.focus("#accept-video")
    bela.page.keyboard.press("Enter")
    for page in (anna, bela):
        now = page.talks()
        assert (now["local"], now["remote"]) == ("host", "host") and now["path"]["kind"] == "direct"
        took = page.evaluate(call_world.SET_UP)
        print(f"{page.user}: accept to connected {took['connected']:.0f} ms, to the first frame {took['firstFrame']:.0f} ms")
    other.rings_not()
    stopped = other.told_at("call.endedElsewhere") - min(anna.told_at("call.accepted"), bela.told_at("call.accepted"))
    print(f"the other tab stopped {stopped} ms after the call was accepted")
    assert abs(stopped) < rig.bound(200, 2_000)
    assert other.evaluate("() => majlis.ringer.playing") is None
    for page in (anna, bela):
        page.goes_on()
    assert forwarded(line) == 0
    assert line.get("/metrics")[1].count("majlis_calls_connected_total 1") == 1
    for page in (anna, bela):
        until(lambda: re.fullmatch(r"0:0[1-9]|0:[1-5]\d", page.page.inner_text("#call-time")), 3, f"{page.user} sees how long")
    until(lambda: anna.look()["peerQuality"] and bela.look()["quality"].get("mos", 0) > 4, 12, "each knows how the other is served")
    anna.page.click("#call-quality")
    until(lambda: "direct" in anna.page.inner_text("#call-figures"), 3, "the page says by which path")
    anna.screenshot("call-figures")
    anna.page.click("#call-quality")
    bela.screenshot("call-phone-dark")

    # Muted and dark are told, without another description.
    before = len(anna.messages("call.description"))
    bela.page.click("#microphone")
    bela.page.click("#camera")
    until(lambda: anna.page.locator(".person-tile .tile-muted").is_visible(), 3, "anna sees that bela is muted")
    until(lambda: anna.page.locator(".person-tile.has-picture").count() == 0, 3, "anna sees that bela's camera is off")
    anna.screenshot("call-camera-off")
    bela.page.click("#camera")
    bela.page.click("#microphone")
    until(lambda: anna.page.locator(".person-tile.has-picture").count() == 1, 5, "and on")
    anna.goes_on(video=True)
    assert len(anna.messages("call.description")) == before

    bela.page.click("#hang-up")
    assert "The call has ended." in anna.is_over() and "You ended the call." in bela.is_over()
    anna.screenshot("dial")
    assert not anna.rig.errors and not bela.rig.errors and not other.rig.errors


@slow
def test_not_taken(line, chromium):
    """Cancelled, declined, busy, nobody of that name, and missed."""
    browser = chromium.launch()
    anna = Person(chromium, browser, line, "anna")
    bela = Person(chromium, browser, line, "bela", waiting=0)
    carl = Person(chromium, browser, line, "carl")
    anna.dial("bela", "audio")
    bela.rings()
    anna.page.click("#hang-up")
    bela.rings_not()
    anna.is_over()
    until(lambda: bela.page.locator("#missed-list li").count() == 1, 3, "bela missed a call")
    bela.screenshot("call-missed")
    assert bela.page.inner_text("#missed-heading") == "1 missed call"
    anna.dial("bela", "audio")
    bela.rings().page.click("#decline")
    assert "declined" in anna.is_over()
    bela.rings_not()
    assert bela.page.locator("#missed-list li").count() == 1
    # Called back from the list.
    bela.page.click("#missed-list button")
    anna.rings().accept("audio")
    anna.talks(video=False)
    bela.talks(video=False)
    assert bela.page.locator("#missed-list li").count() == 0
    carl.dial("bela", "audio")
    assert "busy" in carl.is_over()
    # Who offers call waiting is rung, and may take the other call.
    carl.dial("anna", "audio")
    anna.rings()
    assert "Bela" in anna.page.inner_text("#incoming-note")
    anna.screenshot("call-waiting")
    anna.accept("audio")
    carl.talks(video=False)
    bela.is_over()
    carl.page.click("#hang-up")
    anna.is_over()
    bela.dial("nobody", "audio")
    assert "Nobody of that name" in bela.is_over()
    assert not anna.rig.errors and not bela.rig.errors and not carl.rig.errors


@slow
def test_both_call(line, chromium):
    """Both call each other at once: nobody hears a ring, and they talk."""
    browser = chromium.launch()
    anna = Person(chromium, browser, line, "anna")
    bela = Person(chromium, browser, line, "bela")
    for page, user in ((anna, "bela"), (bela, "anna")):
        page.page.fill("#dial-to", user)
    at = time.time() * 1000 + 400
    for page in (anna, bela):
        page.evaluate("""(at) => { setTimeout(() => document.getElementById('dial-video').click(), at - Date.now());
            window.rang = false;
            setInterval(() => { rang ||= majlis.ringer.playing === 'ring'; }, 5); }""", at)
    until(lambda: anna.look() and bela.look(), 5, "both call")
    for page in (anna, bela):
        page.talks()
        assert not page.evaluate("() => rang"), f"{page.user} was rung"
    assert anna.look()["id"] == bela.look()["id"]
    anna.page.click("#hang-up")
    bela.is_over()


@slow
@needs_turn
def test_relay_only(line, chromium, tmp_path):
    """The callee hides where they are: no message holds an address of either that is not the relay's."""
    with turn_server(tmp_path) as port, rig.Server("relay-only", turn={
            "urls": [f"turn:127.0.0.1:{port}?transport=udp"], "secret": call_world.TURN_SECRET}, **call_world.settings()) as server:
        browser = chromium.launch()
        anna = Person(chromium, browser, server, "anna")
        bela = Person(chromium, browser, server, "bela", relay=1)
        anna.dial("bela")
        bela.rings().accept()
        for page in (anna, bela):
            now = page.talks()
            assert now["local"] == "relay", now
        assert anna.look()["path"]["kind"] == "relayed"
        for page in (anna, bela):
            lines = []
            for text in page.evaluate("() => wire.received"):
                message = json.loads(text)
                if message["type"] == "call.candidate" and message["candidate"]:
                    lines.append(message["candidate"])
                if message["type"] == "call.description":
                    sdp = message["description"]["sdp"].splitlines()
                    lines += [one[2:] for one in sdp if one.startswith("a=candidate")]
                    for one in sdp:
                        if one.startswith(("c=", "o=", "a=rtcp:")):
                            assert "0.0.0.0" in one or "127.0.0.1" in one and one.startswith("o="), one
            assert lines
            for one in lines:
                assert " typ relay" in one and "typ host" not in one and "typ srflx" not in one, one
                assert "raddr" not in one or "raddr 0.0.0.0 rport 0" in one, one


@slow
@needs_turn
@needs_namespaces
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_relay_only_tells_no_address(chromium, tmp_path, who):
    """Each has an address of its own, and whoever does not hide it tells it: in nothing that the other receives is it found."""
    import link_world
    with link_world.star(["anna", "bela"]) as (hub, arms):
        address = link_world.SERVER_ADDRESS
        with turn_server(tmp_path, address, hub) as port, rig.Server(f"no-address-{who}", namespace=hub, host=address, turn={
                "urls": [f"turn:{address}:{port}?transport=udp"], "secret": call_world.TURN_SECRET},
                **call_world.settings()) as server:
            hides = {"anna": who == "caller", "bela": who == "callee"}
            anna, bela = [
                Person(chromium, chromium.launch(namespace=arm.namespace, origin=server.origin, loopback=False), server, user,
                       size=(640, 480), **({"relay": 1} if hides[user] else {})) for user, arm in arms.items()]
            anna.dial("bela")
            bela.rings().accept()
            for page in (anna, bela):
                assert page.talks(40)["local"] == "relay"
            # Found anew, the path is the same.
            anna.evaluate("() => majlis.call.link.restart('asked')")
            until(lambda: anna.evaluate("() => majlis.call.link.counts.iceRestarts") == 1, 5, "the path is looked for again")
            for page in (anna, bela):
                page.goes_on(15)
                assert page.look()["local"] == "relay"
            own = {"anna": "10.99.72.11", "bela": "10.99.72.12"}
            for page, other in ((anna, "bela"), (bela, "anna")):
                for text in page.evaluate("() => wire.received"):
                    assert own[other] not in text, text
                remote = page.evaluate("""async () => [...(await majlis.call.link.peerConnection.getStats()).values()]
                    .filter(({ type }) => type === 'remote-candidate').map(({ address, ip }) => address ?? ip)""")
                assert remote and own[other] not in remote, remote
            # The caller's first offer went out before it was known that the callee hides: it did hold addresses.
            if who == "callee":
                assert any("typ host" in text for text in anna.evaluate("() => wire.sent"))
            chromium.close()


@slow
@needs_namespaces
def test_address_replaced(chromium):
    """The callee's address is another in the middle of a direct call: an ICE restart finds the new path, still from device to device."""
    import link_world
    with link_world.star(["anna", "bela"]) as (hub, arms):
        with rig.Server("call-address", namespace=hub, host=link_world.SERVER_ADDRESS, **call_world.settings()) as server:
            anna, bela = [
                Person(chromium, chromium.launch(namespace=arm.namespace, origin=server.origin, loopback=False), server, user,
                       size=(640, 480)) for user, arm in arms.items()]
            anna.dial("bela")
            bela.rings().accept()
            for page in (anna, bela):
                page.talks(40)
            # Else an address that is taken away takes the younger ones of its network with it.
            name = arms["bela"].namespace
            setting = "/proc/sys/net/ipv4/conf/all/promote_secondaries"
            subprocess.run(rig.in_namespace(name, ["sh", "-c", f"echo 1 > {setting}"]), check=True)
            at = time.time()
            for command in (("addr", "add", "10.99.72.21/24", "dev", "cable"), ("addr", "del", "10.99.72.12/24", "dev", "cable")):
                rig.ip(*command, namespace=name)
            until(lambda: any(page.evaluate("() => majlis.call.link.counts.iceRestarts") for page in (anna, bela)), 10,
                  "the silence is noticed")
            for page in (anna, bela):
                page.goes_on(15)
                now = page.look()
                assert (now["usesRoom"], now["state"], now["path"]["kind"]) == (False, "active", "direct"), now
            took = time.time() - at
            print(f"both see and hear again {took:.2f} s after the address was replaced")
            assert took < rig.bound(6, 15)
            remote = anna.evaluate("""async () => {
                const report = await majlis.call.link.peerConnection.getStats();
                const { selectedCandidatePairId } = [...report.values()].find(({ type }) => type === 'transport');
                return report.get(report.get(selectedCandidatePairId).remoteCandidateId).address;
            }""")
            assert remote == "10.99.72.21", remote
            bela.page.click("#hang-up")
            anna.is_over()
            chromium.close()


BLOCK = """
table inet block {{
  chain in {{ type filter hook input priority 0; policy accept;
    {rules_in}
  }}
  chain out {{ type filter hook output priority 0; policy accept;
    {rules_out}
  }}
}}
"""


@slow
@needs_turn
@needs_namespaces
@pytest.mark.parametrize("way", ["direct", "relayed", "tcp", "server"])
def test_networks_that_block(chromium, tmp_path, way):
    """From device to device; with UDP between the two blocked through coturn, over TCP where there is no UDP at all; with that blocked as
    well through the server."""
    import capture_world
    import link_world
    with link_world.star(["anna", "bela"]) as (hub, arms):
        address = link_world.SERVER_ADDRESS
        with turn_server(tmp_path, address, hub) as port, rig.Server(f"blocked-{way}", namespace=hub, host=address, turn={
                "urls": [f"turn:{address}:{port}?transport=udp", f"turn:{address}:{port}?transport=tcp"],
                "secret": call_world.TURN_SECRET}, **call_world.settings()) as server:
            others = {"anna": "10.99.72.12", "bela": "10.99.72.11"}
            for user, arm in arms.items():
                rules_in, rules_out = [], []
                if way != "direct":
                    rules_in.append(f"ip saddr {others[user]} meta l4proto udp drop")
                    rules_out.append(f"ip daddr {others[user]} meta l4proto udp drop")
                if way == "tcp":
                    rules_in, rules_out = ["meta l4proto udp drop"], ["meta l4proto udp drop"]
                if way == "server":
                    rules_out.append(f"ip daddr {address} udp dport {port} drop")
                    rules_out.append(f"ip daddr {address} tcp dport {port} drop")
                capture_world.nft(arm.namespace, BLOCK.format(
                    rules_in="\n    ".join(rules_in), rules_out="\n    ".join(rules_out)))
            pages = []
            for user, arm in arms.items():
                browser = chromium.launch(namespace=arm.namespace, origin=server.origin, loopback=False)
                pages.append(Person(chromium, browser, server, user, size=(640, 480)))
            anna, bela = pages
            anna.dial("bela")
            bela.rings().accept()
            for page in pages:
                now = page.talks(seconds=40)
                took = page.evaluate(call_world.SET_UP)
                print(f"{way}: {page.user} first frame {took['firstFrame']:.0f} ms after accepting, {now['local']}/{now['remote']}")
                page.goes_on()
                path = until(lambda: (now := page.look()["path"]) and (way == "direct" or now["kind"] != "direct") and now, 6,
                             "the page knows the path")
                kind = {"direct": "direct", "server": "sfu"}.get(way, "relayed")
                assert path["kind"] == kind, path
                if kind == "relayed":
                    assert path["protocol"] == ("tcp" if way == "tcp" else "udp"), path
                if way == "direct":
                    assert (now["local"], now["remote"]) == ("host", "host")
                assert now["usesRoom"] == (way == "server")
            if way != "server":
                assert forwarded(server) == 0
            reported = {page.messages("call.connected", "sent")[-1]["path"] for page in pages}
            assert reported == {kind}
            chromium.close()


@slow
@needs_turn
@needs_namespaces
def test_nothing_but_tls(chromium, tmp_path):
    """All UDP is blocked, and all of TCP but the page and port 443: a call and a room through TURN over TLS."""
    import capture_world
    import link_world
    with link_world.star(["anna", "bela"]) as (hub, arms):
        address = link_world.SERVER_ADDRESS
        pem, key, flag = call_world.certificate(tmp_path, address)
        extra = ["--tls-listening-port", "443", "--cert", pem, "--pkey", key, "--no-dtls"]
        with turn_server(tmp_path, address, hub, extra), rig.Server("nothing-but-tls", namespace=hub, host=address, turn={
                "urls": [f"turns:{address}:443?transport=tcp"], "secret": call_world.TURN_SECRET}, **call_world.settings()) as server:
            for arm in arms.values():
                capture_world.nft(arm.namespace, BLOCK.format(
                    rules_in="meta l4proto udp drop",
                    rules_out=f"meta l4proto udp drop\n    tcp dport != {{ 443, {server.port} }} drop"))
            browsers = {user: chromium.launch(namespace=arm.namespace, origin=server.origin, loopback=False, extra=[flag])
                        for user, arm in arms.items()}
            anna, bela = (Person(chromium, browsers[user], server, user, size=(640, 480)) for user in ("anna", "bela"))
            anna.dial("bela")
            bela.rings().accept()
            for page in (anna, bela):
                path = page.talks(seconds=40)["path"]
                assert (path["kind"], path["protocol"]) == ("relayed", "tls"), path
            assert forwarded(server) == 0
            anna.page.click("#hang-up")
            bela.is_over()
            pages = [chromium.open(browsers[user], server.link(user, "garden", autojoin=1, simulcast=0), user,
                                   init=capture_world.devices(camera=capture_world.SMALL)) for user in ("anna", "bela")]
            for page, other in zip(pages, ("bela", "anna")):
                page.joined(40).sees_and_hears([other])
                path = until(lambda: page.look()["path"], 5, "figures")
                assert (path["kind"], path["protocol"]) == ("relay", "tls"), path
            chromium.close()


@slow
def test_third(line, chromium):
    """A third is added while tones play: the longest gap that either of the two hears is under 100 ms; and the third leaves."""
    runs = int(os.environ.get("MAJLIS_CALL_RUNS", "2"))
    gaps = []
    browser = chromium.launch()
    anna = Person(chromium, browser, line, "anna", size=(640, 480), init=call_world.tone())
    bela = Person(chromium, browser, line, "bela", size=(640, 480), init=call_world.tone())
    carl = Person(chromium, browser, line, "carl", size=(640, 480), init=call_world.tone(0))
    for number in range(runs):
        # In turn, because one may not ring the same person again and again.
        anna, bela = bela, anna
        anna.dial(bela.user, "audio")
        bela.rings().accept("audio")
        for page in (anna, bela):
            page.talks(video=False)
            page.evaluate("() => startRecording()")
        time.sleep(1)
        anna.page.click("#add")
        anna.page.fill("#add-to", "carl")
        anna.page.keyboard.press("Enter")
        carl.rings()
        if number == 0:
            anna.screenshot("call-adding")
        carl.accept("audio")
        for page in (anna, bela, carl):
            until(lambda: (now := page.look()) and now["usesRoom"] and len(now["people"]) == 2, 15, f"{page.user} is one of three")
        for page in (anna, bela):
            until(lambda: not page.look()["link"], 20, f"{page.user}'s direct connection is closed")
        time.sleep(1)
        for page in (anna, bela):
            longest, length = gap(page)
            gaps.append(longest)
            print(f"run {number + 1}: {page.user} heard no longer gap than {longest:.0f} ms in {length / 1000:.1f} s")
        if number == 0:
            anna.screenshot("call-three")
        assert anna.look()["id"] == bela.look()["id"] and anna.look()["state"] == "active"
        # The third goes: the two talk on, from device to device as before. Then one goes, and all is over.
        for page in (anna, bela):
            page.evaluate("() => { peaks.length = 0; }")
        carl.page.click("#hang-up")
        carl.is_over()
        for page in (anna, bela):
            until(lambda: (now := page.look()) and not now["room"] and not now["usesRoom"], 25, f"{page.user} has left the room")
            page.goes_on(video=False)
            assert page.look()["local"] == "host"
        for page in (anna, bela):
            longest, length = gap(page)
            gaps.append(longest)
            print(f"run {number + 1}, back: {page.user} heard no longer gap than {longest:.0f} ms in {length / 1000:.1f} s")
        bela.page.click("#hang-up")
        bela.is_over()
        anna.is_over()
        for page in (anna, bela, carl):
            page.page.reload()
            until(lambda: page.rig.is_true("window.majlis?.session?.state === 'open'"), 10, f"{page.user} is back")
    print(f"longest gaps of {runs} runs, in ms: {' '.join(f'{one:.0f}' for one in gaps)}")
    assert max(gaps) < rig.bound(100, 500)


def three(anna, bela, carl):
    """Anna calls Bela, and Carl into their call."""
    anna.dial("bela")
    bela.rings().accept()
    anna.talks()
    bela.talks()
    anna.page.click("#add")
    anna.page.fill("#add-to", "carl")
    anna.page.keyboard.press("Enter")
    carl.rings().accept()
    for page in (anna, bela, carl):
        until(lambda: (now := page.look()) and now["usesRoom"] and len(now["people"]) == 2, 15, f"{page.user} is one of three")


@slow
def test_stays_with_the_third(line, chromium):
    """Who added the third leaves: the other two stay in the room, until one of them goes."""
    browser = chromium.launch()
    anna, bela, carl = people = [Person(chromium, browser, line, user, size=(640, 480)) for user in ("anna", "bela", "carl")]
    three(*people)
    anna.page.click("#hang-up")
    anna.is_over()
    for page in (bela, carl):
        until(lambda: len(page.look()["people"]) == 1, 8, f"{page.user} is one of two")
        page.goes_on()
    carl.page.click("#hang-up")
    bela.is_over()


@slow
@pytest.mark.parametrize("seconds", [1, 10, 40])
def test_cut(line, chromium, seconds):
    """The WebSocket is cut in every state of a call: shortly, and nothing is lost or doubled; for long, and both are told the same."""
    browser = chromium.launch()
    anna = Person(chromium, browser, line, "anna", size=(640, 480))
    bela = Person(chromium, browser, line, "bela", size=(640, 480))
    is_short = seconds < 30

    def cut(page):
        page.evaluate("(ms) => majlis.session.simulateConnectionLoss(ms)", seconds * 1000)

    def back(page):
        until(lambda: page.rig.is_true("majlis.session.state === 'open'"), seconds + 20, f"{page.user} is back")

    # The caller while it rings; the callee accepts meanwhile.
    anna.dial("bela")
    bela.rings()
    cut(anna)
    if is_short:
        bela.accept()
    back(anna)
    if is_short:
        anna.talks()
        bela.talks()
    else:
        bela.rings_not()
        anna.is_over()
        assert bela.evaluate("() => majlis.call === null")
        anna.dial("bela")
        bela.rings().accept()
        anna.talks()
        bela.talks()
    # In the call, the one and then the other; media goes on.
    for page, other in ((anna, bela), (bela, anna)):
        cut(page)
        if is_short:
            page.goes_on()
            back(page)
            other.goes_on()
            assert page.look()["state"] == other.look()["state"] == "active"
        else:
            back(page)
            page.is_over()
            other.is_over()
            assert "lost" in page.page.inner_text("#dial-notice"), page.page.inner_text("#dial-notice")
            anna.dial("bela")
            bela.rings().accept()
            anna.talks()
            bela.talks()
    # The other side hangs up meanwhile.
    cut(anna)
    bela.page.click("#hang-up")
    bela.is_over()
    back(anna)
    anna.is_over()
    # The callee while it rings; then it takes the call, which waited for it where the cut was short.
    anna.dial("bela")
    bela.rings()
    cut(bela)
    back(bela)
    bela.rings()
    bela.accept()
    anna.talks()
    bela.talks()
    for page in (anna, bela):
        kinds = [one["call"] for one in page.messages("call.accepted")]
        assert len(kinds) == len(set(kinds)), "accepted twice"
        assert not page.rig.errors
    anna.page.click("#hang-up")
    bela.is_over()


@slow
@pytest.mark.parametrize("seconds", [10, 40])
def test_cut_in_a_room(line, chromium, seconds):
    """The WebSocket of whoever called the two others is cut while all three are in the room: they talk on, and after long too."""
    browser = chromium.launch()
    anna, bela, carl = people = [Person(chromium, browser, line, user, size=(640, 480)) for user in ("anna", "bela", "carl")]
    three(*people)
    anna.evaluate("(ms) => majlis.session.simulateConnectionLoss(ms)", seconds * 1000)
    for page in people:
        page.goes_on()
    until(lambda: anna.rig.is_true("majlis.session.state === 'open'"), seconds + 20, "anna is back")
    # After long her calls are over and the others have stayed: she comes back to them.
    for page in people:
        until(lambda: (now := page.look()) and now["usesRoom"] and len(now["people"]) == 2, 20, f"{page.user} is one of three")
        page.goes_on()
    ends = [[one["reason"] for one in page.messages("call.ended")] for page in people]
    assert ends == ([[], [], []] if seconds < 30 else [["lost", "lost"], ["lost"], ["lost"]]), ends
    carl.page.click("#hang-up")
    carl.is_over()
    for page in (anna, bela):
        # Where there is a call still the two go back from the room.
        until(lambda: (now := page.look()) and len(now["people"]) == 1 and now["usesRoom"] == bool(ends[0]), 25,
              f"{page.user} is one of two")
    for page in (anna, bela):
        page.goes_on()
    bela.page.click("#hang-up")
    anna.is_over()
    bela.is_over()
    for page in people:
        assert not page.rig.errors


# What this page has sent to the other device, in packets of sound and picture.
SENT = """async () => [...(await majlis.call.link.peerConnection.getStats()).values()]
    .filter(({ type }) => type === 'outbound-rtp').reduce((sum, { packetsSent }) => sum + packetsSent, 0)"""


@slow
def test_hold(line, chromium):
    """On hold neither side sends anything and the connection stays; each takes back its own; and a second call is taken meanwhile."""
    browser = chromium.launch()
    anna = Person(chromium, browser, line, "anna", size=(390, 844))
    bela = Person(chromium, browser, line, "bela", size=(640, 480))
    carl = Person(chromium, browser, line, "carl", size=(640, 480))

    def status(page):
        return page.page.inner_text("#call-status")

    def rests():
        """Nothing is sent, for longer than a silence is suspicious otherwise."""
        time.sleep(0.5)
        before = [page.evaluate(SENT) for page in (anna, bela)]
        time.sleep(5)
        assert [page.evaluate(SENT) for page in (anna, bela)] == before
        for page in (anna, bela):
            assert page.look()["state"] == "active" and page.page.locator("#audio audio").count() == 0
            assert page.evaluate("() => majlis.call.link.counts.iceRestarts") == 0

    anna.dial("bela")
    bela.rings().accept()
    anna.talks()
    bela.talks()
    described = len(anna.messages("call.description"))
    anna.page.click("#hold")
    until(lambda: status(anna) == "On hold" and status(bela) == "Anna has put the call on hold", 3, "both pages say so")
    rests()
    anna.screenshot("call-hold-phone")
    bela.screenshot("call-held")
    bela.page.click("#hold")
    until(lambda: status(bela) == "On hold", 3, "bela holds it too")
    anna.page.click("#hold")
    until(lambda: status(anna) == "Bela has put the call on hold", 3, "and anna does not any more")
    rests()
    bela.page.click("#hold")
    for page in (anna, bela):
        until(lambda: status(page) == "", 3, "the call goes on")
        page.goes_on()
    assert len(anna.messages("call.description")) == described

    # Another call comes, is taken, and the first waits for its end.
    carl.dial("anna", "audio")
    anna.rings()
    anna.screenshot("call-waiting-phone")
    anna.page.click("#accept-hold")
    carl.talks(video=False)
    until(lambda: status(bela) == "Anna has put the call on hold", 3, "bela waits")
    assert anna.page.locator("#parked li").count() == 1
    anna.talks(video=False)
    # A camera that was on for Bela is not on for Carl.
    assert not anna.page.locator("#self").is_visible() and not carl.evaluate("() => majlis.call.people[0].cameraOn")
    anna.screenshot("call-two-phone")
    # To the first and back.
    anna.page.click("#parked button")
    for page in (anna, bela):
        page.goes_on()
    until(lambda: status(carl) == "Anna has put the call on hold", 3, "carl waits")
    anna.page.click("#parked button")
    carl.goes_on(video=False)
    carl.page.click("#hang-up")
    carl.is_over()
    until(lambda: status(bela) == "", 3, "and the first goes on")
    for page in (anna, bela):
        page.goes_on()
    assert anna.page.locator("#parked li").count() == 0
    bela.page.click("#hang-up")
    anna.is_over()
    for page in (anna, bela, carl):
        assert not page.rig.errors


# What this page has sent into its room and been sent of pictures, in packets; descriptions, and paths that were looked for anew.
IN_ROOM = """async () => {
  const { room } = majlis.call;
  const all = [...(await room.peerConnection.getStats()).values()];
  const sum = (type, key, kind) => all.filter((one) => one.type === type && (!kind || one.kind === kind))
      .reduce((count, one) => count + (one[key] ?? 0), 0);
  return { sent: sum('outbound-rtp', 'packetsSent'), pictures: sum('inbound-rtp', 'packetsReceived', 'video'),
      counts: JSON.stringify(room.counts) };
}"""


@slow
def test_hold_in_a_room(line, chromium):
    """Of three in a room one puts the call on hold: that one sends nothing and is sent no pictures, the others know and go on; taken
    back without a new description. A second call meanwhile, and one that takes the only room that a device may be in."""
    browser = chromium.launch()
    anna = Person(chromium, browser, line, "anna", size=(390, 844))
    bela, carl, dina = [Person(chromium, browser, line, user, size=(640, 480)) for user in ("bela", "carl", "dina")]
    three(anna, bela, carl)

    def status(page):
        return page.page.inner_text("#call-status")

    def rests(page):
        time.sleep(1.5)
        before = page.evaluate(IN_ROOM)
        time.sleep(4)
        assert page.evaluate(IN_ROOM) == before and page.page.locator("#audio audio").count() == 0

    def all_go_on():
        for page in (anna, bela, carl):
            until(lambda: status(page) == "" and page.page.locator(".person-tile.has-picture").count() == 2, 15,
                  f"{page.user} sees both")
            page.goes_on(15)

    all_go_on()
    counts = [page.evaluate(IN_ROOM)["counts"] for page in (anna, bela, carl)]
    anna.page.click("#hold")
    until(lambda: status(anna) == "On hold", 3, "anna's page says so")
    for page in (bela, carl):
        until(lambda: status(page) == "Anna has put the call on hold", 3, f"{page.user} knows")
        assert page.page.locator('.person-tile.on-hold[data-key="anna"]').count() == 1
        until(lambda: page.page.locator(".person-tile.has-picture").count() == 1, 5, f"{page.user} sees the other")
    rests(anna)
    for page in (bela, carl):
        page.goes_on()
    anna.screenshot("call-hold-room-phone")
    bela.screenshot("call-held-room")
    carl.page.click("#hold")
    until(lambda: "Carl has put" in status(bela) and "Anna has put" in status(bela), 3, "bela knows of both")
    assert status(anna) == "On hold"
    rests(carl)
    for page in (anna, carl):
        page.page.click("#hold")
    all_go_on()
    assert [page.evaluate(IN_ROOM)["counts"] for page in (anna, bela, carl)] == counts

    # A second call, direct at first: the room is kept. Then that one needs a room as well.
    dina.dial("anna", "audio")
    anna.rings()
    anna.page.click("#accept-hold")
    dina.talks(video=False)
    until(lambda: status(bela) == "Anna has put the call on hold", 3, "bela waits")
    bela.goes_on()
    assert anna.evaluate("() => Boolean(majlis.parked[0].room)") and len(bela.look()["people"]) == 2
    anna.evaluate("() => majlis.call.upgrade()")
    for page in (anna, dina):
        until(lambda: (now := page.look()) and now["usesRoom"], 15, f"{page.user} is in the other room")
        page.goes_on(video=False)
    until(lambda: bela.evaluate("() => majlis.call.room.participants.size") == 1, 5, "anna has left the first")
    assert status(bela) == "Anna has put the call on hold" and len(bela.look()["people"]) == 2
    bela.goes_on()
    # To the first and back: each time the other room is left.
    anna.page.click("#parked button")
    all_go_on()
    until(lambda: status(dina) == "Anna has put the call on hold", 3, "dina waits")
    dina.page.click("#hang-up")
    dina.is_over()
    until(lambda: anna.page.locator("#parked li").count() == 0, 3, "one call is left")
    all_go_on()
    anna.page.click("#hang-up")
    anna.is_over()
    for page in (anna, bela, carl, dina):
        assert not page.rig.errors


@slow
def test_third_steps_out(line, chromium):
    """Of three in a room the one who was added goes out of it for another call's: the two others see that, by name, and talk on."""
    browser = chromium.launch()
    anna, bela, carl, dina = people = [
        Person(chromium, browser, line, user, size=(640, 480)) for user in ("anna", "bela", "carl", "dina")]
    three(anna, bela, carl)
    dina.dial("carl", "audio")
    carl.rings()
    carl.page.click("#accept-hold")
    dina.talks(video=False)
    carl.evaluate("() => majlis.call.upgrade()")
    for page in (carl, dina):
        until(lambda: (now := page.look()) and now["usesRoom"], 15, f"{page.user} is in the other room")
    for page, other in ((anna, "bela"), (bela, "anna")):
        until(lambda: page.evaluate("() => majlis.call.room.participants.size") == 1, 5, f"{page.user} is alone with {other}")
        assert sorted(page.look()["people"]) == sorted([other, "carl"])
        tile = page.page.locator('.person-tile.on-hold[data-key="carl"]')
        assert tile.count() == 1 and "Carl" in tile.inner_text(), tile.inner_text()
        assert page.page.inner_text("#call-status") == "Carl has put the call on hold"
        page.goes_on()
    bela.screenshot("call-third-away")
    carl.page.click("#parked button")
    for page in (anna, bela):
        until(lambda: page.page.inner_text("#call-status") == "", 10, f"{page.user} knows that carl is back")
        until(lambda: page.page.locator(".person-tile.has-picture").count() == 2, 15, f"{page.user} sees both")
        assert page.page.locator(".person-tile.on-hold").count() == 0
    # On hold and out of the room, the third gives up its call: nobody is left waiting for it.
    carl.page.click("#parked button")
    until(lambda: bela.page.inner_text("#call-status") == "Carl has put the call on hold", 10, "carl is away again")
    carl.evaluate("() => majlis.parked[0].hangUp()")
    for page in (anna, bela):
        until(lambda: len(page.look()["people"]) == 1, 5, f"{page.user} is one of two")
        page.goes_on(15)
    anna.page.click("#hang-up")
    bela.is_over()
    for page in people:
        assert not page.rig.errors


@slow
@pytest.mark.parametrize("language", ["ar", "id", "ms"])
def test_looks(line, chromium, language):
    """Every view in the other languages, on a phone; Arabic from the right."""
    browser = chromium.launch()
    anna = Person(chromium, browser, line, "anna", size=(390, 844), language=language, contacts="bela,dina")
    bela = Person(chromium, browser, line, "bela", size=(390, 844), scheme="dark", language=language, contacts="anna")
    assert anna.evaluate("() => document.documentElement.lang") == language
    until(lambda: anna.page.locator('.presence[data-present="true"]').count() == 1, 15, "bela is there")
    anna.screenshot(f"dial-phone-{language}")
    anna.dial("bela")
    bela.rings()
    bela.screenshot(f"call-incoming-phone-{language}")
    bela.accept()
    anna.talks()
    bela.talks()
    anna.screenshot(f"call-phone-{language}")
    for page in (anna, bela):
        text = page.page.inner_text("body")
        assert "undefined" not in text and "[object" not in text, text
        unnamed = page.evaluate("""() => [...document.querySelectorAll('button:not([hidden])')]
            .filter((button) => !button.textContent.trim() && !button.getAttribute('aria-label')).map(({ id }) => id)""")
        assert unnamed == [] or unnamed == ["ended-again"], unnamed
    anna.page.click("#hang-up")
    bela.is_over()
