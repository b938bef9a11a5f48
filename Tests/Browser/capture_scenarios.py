"""The calls that are recorded into Captures/, each a function that plays one against a recording server, and what must be
in the file afterwards."""

import time

import rig
from capture_world import (HD, SERVER_ADDRESS, SMALL, Call, cut, devices, frames, hears, lose, narrow, sees)
from firefox import Firefox
from rig import until

# Asks the sender of a layer to send it, or not.
SET_LAYER = """async ([rid, active]) => {
  for (const sender of majlis.room.peerConnection.getSenders()) {
    const parameters = sender.getParameters();
    const encoding = parameters.encodings?.find((one) => one.rid === rid);
    if (!encoding) continue;
    encoding.active = active;
    await sender.setParameters(parameters);
  }
}"""

# The frames that this page has encoded of each layer.
ENCODED = """async () => {
  const layers = {};
  for (const stats of (await majlis.room.peerConnection.getStats()).values()) {
    if (stats.type === 'outbound-rtp' && stats.kind === 'video') layers[stats.rid ?? ''] = stats.framesEncoded ?? 0;
  }
  return layers;
}"""


def sends_layers(page, count=3, least=5, seconds=12):
    """Waits until so many layers of a page's camera are sent."""
    until(lambda: sum(frames >= least for frames in page.evaluate(ENCODED).values()) >= count, seconds,
          f"{page.user} sends {count} layers")


def simulcast_call(browsers):
    """Three layers to two receivers; windows grow and shrink, and the top layer stops and comes back."""
    # Layers that nobody needs are to be sent all the same.
    with Call("simulcast-call", browsers, media={"adaptBitrate": False}) as call:
        anna = call.join(call.browser(), "anna", camera=HD)
        watchers = call.browser()
        bela = call.join(watchers, "bela", waits=False)
        carl = call.join(watchers, "carl", size=(400, 300), waits=False)
        call.connected([bela, carl])
        for page in (bela, carl):
            sees(page, "anna")
        sends_layers(anna)
        call.run(2, "bela watches in a large window, carl in a small one")
        bela.page.set_viewport_size({"width": 400, "height": 300})
        carl.page.set_viewport_size({"width": 1280, "height": 800})
        call.run(2.5, "the windows change places")
        anna.evaluate(SET_LAYER, ["f", False])
        call.run(2.5, "anna's largest layer stops")
        before = frames(carl, "anna")
        anna.evaluate(SET_LAYER, ["f", True])
        call.run(2.5, "anna's largest layer is back")
        until(lambda: frames(carl, "anna") > before, 10, "carl's picture goes on")
    return call


def check_simulcast_call(seen):
    seen.least("streamBound", 3 + 1)  # three layers, and retransmissions as far as there were any
    seen.least("layerAlive", 3 + 3)  # three layers, three microphones
    seen.least("layerDead", 1)
    seen.least("switched", 2 + 2)


def _narrowing(browsers, name, wide, is_uplink):
    with rig.joined_namespaces() as ((near, near_device), (far, far_device)):
        with Call(name, browsers, namespace=near, host=SERVER_ADDRESS) as call:
            narrowed = (far, far_device) if is_uplink else (near, near_device)
            narrow(*narrowed, wide)
            anna = call.join(call.browser(far if is_uplink else near), "anna", camera=HD)
            bela = call.join(call.browser(near if is_uplink else far), "bela")
            sees(bela, "anna")
            sends_layers(anna)
            call.run(2, f"{wide} kb/s")
            narrow(*narrowed, 400)
            call.run(4, "400 kb/s")
            before = frames(bela, "anna")
            narrow(*narrowed, wide)
            call.run(4, f"{wide} kb/s again")
            until(lambda: frames(bela, "anna") > before, 15, "bela's picture goes on")
            browsers.close()
    return call


def narrow_link(browsers):
    """The way to the receiver carries 2 Mb/s, then 400 kb/s, then 2 Mb/s again."""
    return _narrowing(browsers, "narrow-link", 2_000, is_uplink=False)


def check_narrow_link(seen):
    seen.least("layerAlive", 4)
    seen.least("switched", 2)


def narrow_uplink(browsers):
    """The way from the sender carries 3 Mb/s, then 400 kb/s, then 3 Mb/s again; it gives up layers by itself."""
    return _narrowing(browsers, "narrow-uplink", 3_000, is_uplink=True)


def check_narrow_uplink(seen):
    seen.least("layerAlive", 4)
    seen.least("layerDead", 1)
    seen.least("switched", 2)


def audio_room(browsers):
    """Seven people, four audio slots each; everybody but two speaks once, two at the same time."""
    with Call("audio-room", browsers) as call:
        browser = call.browser()
        people = [call.join(browser, user, pitch=100 + 20 * number, slots=0, waits=False) for number, user in
                  enumerate(["anna", "bela", "carl", "dora", "emil", "fred", "gina"])]
        call.connected(people)
        for speakers, seconds in (([0], 1.2), ([5], 1.2), ([6], 1), ([3, 4], 1.2), ([6], 0.8), ([0], 0.8)):
            for number in speakers:
                people[number].evaluate("(seconds) => voice.speak(seconds)", seconds)
            call.run(seconds + 0.1, " and ".join(people[number].user for number in speakers))
        hears(people[1], "gina")
    return call


def check_audio_room(seen):
    seen.people(7)
    seen.least("slotAssigned", 7 * 4 + 4)


SLIDES = """<!doctype html><title>Slides of the call</title>
<body style="margin:0;font:bold 64px sans-serif;background:#f4f4f0;color:#203040"><h1 id=text></h1><p>A slide with text.</p>
<script>let n = 0; setInterval(() => { text.textContent = `Slide ${++n}`;
document.body.style.background = n % 2 ? '#f4f4f0' : '#dde6ee'; }, 700);</script>"""


def screen_share(browsers):
    """One shares a tab beside the camera, ends it, and shares it again."""
    with Call("screen-share", browsers) as call:
        presenting = call.browser(extra=["--auto-select-tab-capture-source-by-title=Slides of the call"])
        anna = call.join(presenting, "anna", camera=SMALL, size=(960, 600), simulcast=0)
        slides = anna.page.context.new_page()
        slides.set_content(SLIDES)
        anna.page.bring_to_front()
        bela = call.join(call.browser(), "bela")
        sees(bela, "anna")
        for turn in range(2):
            anna.page.click("#screen")
            screen = bela.page.locator('.tile[data-kind="screen"].has-picture')
            until(lambda: screen.count() == 1, 20, "bela sees the screen")
            until(lambda: bela.evaluate("document.querySelector('.tile[data-kind=screen] video').videoWidth") >= 320, 10,
                  "the screen's picture arrives")
            call.run(3.5 if turn == 0 else 2, "the screen is shared")
            anna.page.click("#screen")
            until(lambda: bela.page.locator('.tile[data-kind="screen"]').count() == 0, 5, "the screen is gone")
            call.run(1, "the screen is gone")
        before = frames(bela, "anna")
        until(lambda: frames(bela, "anna") > before, 10, "the camera goes on")
    return call


def check_screen_share(seen):
    seen.command("applyPlan", 2 + 2)
    seen.least("switched", 3)


def ten_percent_loss(browsers):
    """Three people, all of them behind a link that loses every tenth packet in both directions."""
    with rig.joined_namespaces() as ((near, near_device), (far, _)):
        with Call("ten-percent-loss", browsers, namespace=near, host=SERVER_ADDRESS) as call:
            browser = call.browser(far)
            anna = call.join(call.browser(far), "anna", camera=HD)
            bela = call.join(browser, "bela", camera=SMALL, simulcast=0, waits=False)
            carl = call.join(browser, "carl", waits=False)
            call.connected([bela, carl])
            for page in (bela, carl):
                sees(page, "anna")
            sends_layers(anna, 2)
            lose(near, near_device, 10)
            call.run(6, "every tenth packet is lost")
            before = frames(carl, "anna"), frames(carl, "bela")
            until(lambda: frames(carl, "anna") > before[0] and frames(carl, "bela") > before[1], 10, "pictures go on")
            browsers.close()
    return call


def check_ten_percent_loss(seen):
    seen.people(3)
    seen.least("switched", 4 + 3)
    assert seen.replay["rtpIn"] > 1_000


# Many sessions of the client library in one page: a page each would be too much for a small machine.
STORM = """async ([links, speakers, between]) => {
  const { connect } = await import('/majlis.js');
  const canvas = document.createElement('canvas');
  canvas.width = 160; canvas.height = 96;
  const context = canvas.getContext('2d');
  let n = 0;
  setInterval(() => {
    context.fillStyle = `hsl(${(n += 7) % 360} 60% 50%)`;
    context.fillRect(0, 0, 160, 96);
  }, 200);
  const picture = canvas.captureStream(5).getVideoTracks()[0];
  const sound = await navigator.mediaDevices.getUserMedia({ audio: true });
  const begin = performance.now();
  const url = location.origin.replace('http', 'ws') + '/v1/ws';
  window.storm = [];
  const all = [];
  for (const [number, { token, user }] of links.entries()) {
    all.push((async () => {
      const session = await connect({ url, token, device: user });
      const room = await session.join('garden', {
        camera: picture.clone(), microphone: number < speakers ? sound.getAudioTracks()[0].clone() : null,
        simulcast: false, slots: 4, audioSlots: 3,
      });
      window.storm.push({ user, session, room });
    })());
    await new Promise((resolve) => setTimeout(resolve, between));
  }
  await Promise.all(all);
  return performance.now() - begin;
}"""

STORM_CONNECTED = "() => storm.filter(({ room }) => room.state === 'connected').length"

STORM_DECODED = """async () => {
  let watching = 0;
  for (const { room } of storm) {
    if (!room.peerConnection) continue;
    let frames = 0;
    for (const stats of (await room.peerConnection.getStats()).values()) frames += stats.framesDecoded ?? 0;
    if (frames > 0) watching += 1;
  }
  return watching;
}"""


def storm(browsers):
    """Sixteen people join within two seconds, some leave, some come back, all leave."""
    with Call("storm", browsers) as call:
        page = browsers.open(call.browser(), call.server.origin, "storm", init=devices(pitch=140))
        users = [f"guest{number}" for number in range(16)]
        links = [{"user": user, "token": rig.token(user, Call.ROOM)} for user in users]
        took = page.evaluate(STORM, [links, 3, 60])
        call.say(f"16 people joined within {took:.0f} ms")
        assert took < 2_000, "that is no storm"
        until(lambda: page.evaluate(STORM_CONNECTED) == 16, 20, "all are connected")
        until(lambda: page.evaluate(STORM_DECODED) == 16, 20, "all see somebody")
        page.evaluate("() => voice.speak(2)")
        page.page.wait_for_timeout(1_500)
        call.say("all see somebody")
        page.evaluate("async () => { for (const { room } of storm.splice(2, 9)) room.leave(); }")
        time.sleep(0.5)
        again = page.evaluate(STORM.replace("window.storm = [];", ""), [links[4:8], 0, 40])
        call.say(f"9 left, 4 came back within {again:.0f} ms")
        until(lambda: page.evaluate(STORM_CONNECTED) == 11, 20, "all are connected")
        until(lambda: page.evaluate(STORM_DECODED) == 11, 20, "all see somebody")
        page.page.wait_for_timeout(700)
        page.evaluate("async () => { await Promise.all(storm.splice(0).map(({ room }) => room.leave())); }")
        call.say("all have left")
        browsers.close()
    return call


def check_storm(seen):
    seen.people(20)
    seen.command("peerConnected", 20)
    seen.command("removeParticipant", 20)
    seen.least("switched", 20)


def resumed(browsers):
    """Nothing passes for three seconds, sockets and media alike; the session is resumed, ICE restarted, media goes on."""
    with rig.joined_namespaces() as ((near, near_device), (far, _)):
        with Call("resumed", browsers, namespace=near, host=SERVER_ADDRESS) as call:
            anna = call.join(call.browser(near), "anna", camera=SMALL, simulcast=0)
            bela = call.join(call.browser(far), "bela", camera=SMALL, simulcast=0)
            sees(bela, "anna")
            sees(anna, "bela")
            hears(bela, "anna")
            call.run(2, "both see each other")
            before = bela.look()
            with cut(near, near_device):
                call.run(3, "nothing passes")
            until(lambda: bela.look()["counts"]["iceRestarts"] >= 1, 15, "the silence was noticed")
            until(lambda: bela.look()["session"] == "open", 15, "the session is open again")
            for page, other in ((anna, "bela"), (bela, "anna")):
                page.goes_on([other], seconds=20)
            after = bela.look()
            assert after["self"] == before["self"] and after["counts"]["joins"] == 1
            assert after["seen"]["sent"].get("resume", 0) >= 1, after["seen"]
            call.run(3, "both see each other again")
            browsers.close()
    return call


def check_resumed(seen):
    seen.people(2)
    seen.command("applyPlan", 2 + 1)  # the restart of ICE
    seen.least("layerDead", 2)
    seen.least("layerAlive", 4 + 2)


def firefox_call(browsers):
    """Firefox and Chromium, both with three layers."""
    with Call("firefox-call", browsers) as call:
        anna = call.join(call.browser(), "anna", camera={"width": 640, "height": 360})
        fox = Firefox()
        try:
            fox.open(call.server.link("fox", Call.ROOM, autojoin=1))
            until(lambda: fox.evaluate("() => window.majlis?.room?.state === 'connected'"), 40, "Firefox is connected")
            call.say("Firefox is connected")
            fox.evaluate("() => { window.seen = { setLocalDescription: 0, sent: {} }; }")
            sees(anna, "fox", seconds=30)

            def fox_sees():
                one = (fox.evaluate(rig.LOOK) or {}).get("people", {}).get("anna")
                return one if one and one["frames"] > 3 and one["energy"] > 0 else None
            until(fox_sees, 30, "Firefox decodes Chromium's picture and sound")
            call.run(5, "both see each other")
            fox.evaluate("() => majlis.room.leave()")
            until(lambda: "fox" not in anna.look()["people"], 5, "Firefox has left")
        finally:
            fox.close()
    return call


def check_firefox_call(seen):
    seen.people(2)
    seen.least("streamBound", 2 + 2)
    seen.least("switched", 2)


SCENARIOS = {
    "simulcast-call": (simulcast_call, check_simulcast_call, False),
    "narrow-link": (narrow_link, check_narrow_link, True),
    "narrow-uplink": (narrow_uplink, check_narrow_uplink, True),
    "audio-room": (audio_room, check_audio_room, False),
    "screen-share": (screen_share, check_screen_share, False),
    "ten-percent-loss": (ten_percent_loss, check_ten_percent_loss, True),
    "storm": (storm, check_storm, False),
    "resumed": (resumed, check_resumed, True),
    "firefox-call": (firefox_call, check_firefox_call, False),
}
"""Name: what plays it, what checks its file, whether it needs network namespaces."""
