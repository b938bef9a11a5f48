"""Frames encrypted from end to end: who has the room's passphrase sees and hears, nobody else does, and the server
forwards all the same."""

import time

import pytest

import rig
from rig import until

PASSPHRASE = "3bQxkq0mJp7vZ1dW=&+ #ü"
TRIO = ["anna", "bela", "carl"]

# What arrives at one page by participant, decoded or not.
ARRIVALS = """async () => {
  const room = majlis.room;
  const byMid = {};
  for (const stats of (await room.peerConnection.getStats()).values()) {
    if (stats.type === 'inbound-rtp') byMid[stats.mid] = stats;
  }
  const people = {};
  for (const { number, user } of room.participants.values()) {
    people[user] = { state: room.encryption.stateOf(number) ?? null };
  }
  for (const slot of room.slots.values()) {
    const person = room.participants.get(slot.participant);
    const stats = byMid[slot.mid];
    if (!person || !stats) continue;
    people[person.user][slot.kind] = {
      packets: stats.packetsReceived, received: stats.framesReceived, decoded: stats.framesDecoded,
      energy: stats.totalAudioEnergy, samples: stats.totalSamplesReceived, concealed: stats.concealedSamples,
    };
  }
  return people;
}"""

KEY_FRAMES = """async () => [...(await majlis.room.peerConnection.getStats()).values()]
  .filter((one) => one.type === 'outbound-rtp' && one.kind === 'video')
  .reduce((sum, one) => sum + (one.keyFramesEncoded ?? 0), 0)"""


VIDEO = """async () => [...(await majlis.room.peerConnection.getStats()).values()]
  .filter((one) => one.type === 'inbound-rtp' && one.kind === 'video')
  .map(({ framesReceived = 0, framesDecoded = 0 }) => ({ framesReceived, framesDecoded }))"""


def join(chromium, browser, server, user, passphrase=PASSPHRASE, simulcast=True, **options):
    parameters = {"autojoin": 1, **({"e2ee": passphrase} if passphrase else {}), **({} if simulcast else {"simulcast": 0})}
    return chromium.open(browser, server.link(user, "garden", **parameters), user, **options).joined()


def others(user):
    return [one for one in TRIO if one != user]


def test_only_who_has_the_key(server, chromium):
    browser = chromium.launch()
    pages = {user: join(chromium, browser, server, user) for user in ("anna", "bela")}
    pages["anna"].sees_and_hears(["bela"])
    pages["bela"].sees_and_hears(["anna"])

    # A keyed late joiner sees and hears soon: key frames are asked for and known to be key frames.
    carl = pages["carl"] = join(chromium, browser, server, "carl")
    carl.sees_and_hears(others("carl"), seconds=10)
    took = carl.evaluate("""() => new Promise((resolve) => {
      const { joining } = majlis.room.timing;
      resolve(performance.now() - joining);
    })""") / 1000
    print(f"the late joiner saw and heard both {took:.2f} s after it began to join")
    assert took < rig.bound(3, 10)
    for user, page in pages.items():
        page.sees_and_hears(others(user))
        assert page.page.locator("#encrypted").is_visible()
    assert "lock" in pages["anna"].page.locator("#encrypted use").get_attribute("href")
    pages["anna"].screenshot("encrypted-three")

    # One without the key and one with another: all arrives, nothing can be used.
    strangers = {
        "dora": join(chromium, browser, server, "dora", passphrase=None, simulcast=False, scheme="dark"),
        "egon": join(chromium, browser, server, "egon", passphrase="another passphrase", simulcast=False),
    }
    for user, page in strangers.items():
        def refused():
            refused.last = page.evaluate(ARRIVALS)
            return all(refused.last[one]["state"] == "undecryptable" for one in TRIO)
        try:
            until(refused, 10, f"{user} finds out that nothing can be decrypted")
        except AssertionError as error:
            raise AssertionError(f"{error}; {refused.last}; {page.console[-8:]}") from None
        until(lambda: page.page.locator("#banner").is_visible(), 3, f"{user} is told")
        assert page.page.inner_text("#banner") == "You do not have the key of this room."
    keys_before = {user: page.evaluate(KEY_FRAMES) for user, page in pages.items()}
    watched_from = time.monotonic()
    while time.monotonic() - watched_from < 4:
        for user, page in pages.items():
            page.goes_on(others(user))
    seconds = time.monotonic() - watched_from
    for user, page in pages.items():
        rate = (page.evaluate(KEY_FRAMES) - keys_before[user]) / seconds
        print(f"{user} encodes {rate:.2f} key frames a second (all layers) while strangers are there")
    for user, page in strangers.items():
        arrived = page.evaluate(ARRIVALS)
        print(user, arrived)
        # Whom it cannot decrypt it may have found out by the sound, and then asks for no pictures any more.
        video = [arrived[one]["video"] for one in TRIO if "video" in arrived[one]]
        assert sum(one["packets"] for one in video) > 0, f"pictures reach {user}"
        assert not any(one["decoded"] for one in video), f"and {user} decodes none"
        audio = [arrived[one]["audio"] for one in TRIO if "audio" in arrived[one]]
        assert audio and all(one["packets"] > 50 for one in audio), f"sound reaches {user}"
        assert all(one["energy"] == 0 for one in audio), f"and {user} hears none"
        seen = page.look()["people"]
        assert all(seen[one]["luma"] is None for one in TRIO), "no picture at all"
        assert page.page.locator(".tile.has-picture").count() == 1, "but the own"
        assert page.page.locator("#encrypted").is_visible() == (user == "egon")
        page.screenshot(f"encrypted-{'no-key' if user == 'dora' else 'another-key'}")

    # What is not encrypted, or with another key, is not shown to those who have it; nor is it said that they lack it.
    for page in pages.values():
        arrived = page.evaluate(ARRIVALS)
        assert arrived["dora"]["state"] == "plain" and arrived["egon"]["state"] == "undecryptable"
        # No pictures are asked for of whom the sound gave away.
        assert not any(arrived[one].get("video", {}).get("decoded") for one in ("dora", "egon"))
        assert page.page.locator("#banner").is_hidden()
        assert page.page.locator(".tile.has-picture").count() == 3
    pages["anna"].screenshot("encrypted-with-strangers")
    for page in [*pages.values(), *strangers.values()]:
        assert not page.errors


def test_screen_layers_and_reload(server, chromium):
    """A screen, simulcast layers, and a participant who comes again (same user, another number, another key)."""
    browser = chromium.launch()
    anna = join(chromium, browser, server, "anna")
    bela = join(chromium, browser, server, "bela")
    anna.sees_and_hears(["bela"])

    # Another layer than before decrypts as well.
    width = """() => Math.max(...[...document.querySelectorAll('.tile:not(.own) video')]
        .map((one) => one.videoWidth))"""
    until(lambda: anna.evaluate(width) > 320, 20, "a larger layer than the smallest arrives")
    bela.evaluate("""async () => {
      const sender = majlis.room.peerConnection.getSenders().find(({ track }) => track?.kind === 'video');
      const parameters = sender.getParameters();
      for (const encoding of parameters.encodings) encoding.active = encoding.rid === 'q';
      await sender.setParameters(parameters);
    }""")
    until(lambda: anna.evaluate(width) == 320, 10, "the smallest layer arrives")
    anna.goes_on(["bela"])

    bela.evaluate("""() => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 });
      const context = canvas.getContext('2d');
      let n = 0;
      setInterval(() => {
        context.fillStyle = '#f4f4f0'; context.fillRect(0, 0, 1280, 720);
        context.fillStyle = '#203040'; context.font = 'bold 90px sans-serif';
        context.fillText(`A shared screen ${n++}`, 120, 380);
      }, 100);
      const stream = canvas.captureStream(10);
      navigator.mediaDevices.getDisplayMedia = async () => stream;
    }""")
    bela.page.click("#screen")
    screen = "document.querySelector('.tile.has-picture[data-kind=screen] video')"
    until(lambda: anna.is_true(f"{screen}?.videoWidth >= 640"), 10, "the screen arrives")
    before = anna.evaluate(f"() => {screen}.getVideoPlaybackQuality().totalVideoFrames")
    until(lambda: anna.evaluate(f"() => {screen}.getVideoPlaybackQuality().totalVideoFrames") > before + 5, 5,
          "and goes on")
    anna.screenshot("encrypted-screen")
    stranger = join(chromium, browser, server, "dora", passphrase=None)
    until(lambda: stranger.page.inner_text("#banner") == "You do not have the key of this room.", 10, "dora is told")
    until(lambda: stranger.page.locator(".tile.has-picture:not(.own)").count() == 0, 6, "no picture is kept on show")
    received = stranger.evaluate(VIDEO)
    assert sum(one["framesReceived"] for one in received) > 20 and not any(one["framesDecoded"] for one in received)
    stranger.page.click("#leave")

    bela.page.reload()
    bela.joined().sees_and_hears(["anna"])
    anna.sees_and_hears(["bela"])
    for page in (anna, bela):
        assert not page.errors


def test_frames_on_the_way(server, chromium):
    """What leaves the browser: the parts that forwarding reads, no plain frame, no IV twice."""
    # The page's worker with a look at what goes in and what comes out of its first transforms.
    spy = """
      const Native = RTCRtpScriptTransform;
      window.RTCRtpScriptTransform = class {
        constructor(worker, options) {
          if (!worker.spied) {
            worker.spied = true;
            worker.addEventListener('message', ({ data }) => {
              if (data.type === 'spied') (window.frames_ ??= []).push(data);
            });
          }
          return new Native(worker, options);
        }
      };
      const NativeWorker = Worker;
      window.Worker = class {
        constructor(url, options) {
          const text = `
            import ${JSON.stringify(String(url))};
            const enqueue = TransformStreamDefaultController.prototype.enqueue;
            TransformStreamDefaultController.prototype.enqueue = function (frame) {
              const data = new Uint8Array(frame.data);
              const { mimeType, synchronizationSource } = frame.getMetadata();
              self.postMessage({ type: 'spied', ssrc: synchronizationSource, mimeType, frameType: frame.type ?? null,
                head: [...data.slice(0, 10)], tail: [...data.slice(-16)], length: data.length });
              return enqueue.call(this, frame);
            };
          `;
          return new NativeWorker(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })), options);
        }
      };"""
    browser = chromium.launch()
    anna = join(chromium, browser, server, "anna", init=spy)
    bela = join(chromium, browser, server, "bela")
    bela.sees_and_hears(["anna"])

    def sealed():
        return [one for one in anna.evaluate("() => window.frames_ ?? []") if one["tail"][-2:] == [0x4D, 0x45]]

    def layers():
        return {one["ssrc"] for one in sealed() if one["frameType"] == "key"}
    # A busy machine sends the largest layer late or not at all.
    until(lambda: len(layers()) >= 2, 20, "layers begin with a key frame, encrypted")
    sent = sealed()
    assert {one["mimeType"].lower() for one in sent} == {"audio/opus", "video/vp8"}
    ivs = [tuple(one["tail"][:12]) for one in sent]
    assert len(set(ivs)) == len(ivs), "no IV twice"
    assert len({iv[:8] for iv in ivs}) == 1, "one prefix, one counter"
    for one in sent:
        clear, head = one["tail"][13], one["head"]
        if one["mimeType"].lower() == "audio/opus":
            assert clear == 2 and head[0] & 3 == 3 and head[1] == 0
        elif one["frameType"] == "key":
            assert clear == 10 and head[0] & 1 == 0 and head[3:6] == [0x9D, 0x01, 0x2A]
        else:
            assert clear == 3 and head[0] & 1 == 1


@pytest.mark.slow
def test_vp9(chromium):
    with rig.Server("encrypted-VP9", rooms={"codecs": ["opus", "VP9"]}) as server:
        browser = chromium.launch()
        anna = join(chromium, browser, server, "anna")
        bela = join(chromium, browser, server, "bela")
        anna.sees_and_hears(["bela"])
        bela.sees_and_hears(["anna"])


def test_a_codec_that_cannot_be_encrypted(chromium):
    with rig.Server("encrypted-H264", rooms={"codecs": ["opus", "H264"]}) as server:
        browser = chromium.launch()
        link = server.link("anna", "garden", autojoin=1, e2ee=PASSPHRASE)
        anna = chromium.open(browser, link, "anna")
        until(lambda: anna.page.locator("#ended-heading").is_visible(), 10, "the page says so")
        assert anna.evaluate("() => document.getElementById('ended').dataset.reason") == "encryptionUnsupported"
        anna.screenshot("encryption-unsupported")
