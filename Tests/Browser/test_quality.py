"""What the server tells each client of its connection: bars on the page, the panel that says why, and loss that shows."""

import subprocess

import rig
from conftest import needs_namespaces
from rig import until

QUALITY = "() => window.majlis?.room?.quality ?? null"


def lose(namespace, percent):
    """Drops this share of the UDP packets that come into a namespace; 0 drops none."""
    rule = f"meta l4proto udp numgen random mod 100 < {percent} drop;" if percent else ""
    hook = "type filter hook input priority 0;"
    table = f"table inet majlis_loss {{\nchain incoming {{\n{hook}\n{rule}\n}}\n}}\n"
    script = "add table inet majlis_loss\ndelete table inet majlis_loss\n" + table
    subprocess.run(rig.in_namespace(namespace, ["nft", "-f", "-"]), input=script, text=True, check=True)


def told(page, condition, seconds, what):
    """Waits for a `quality` message that fulfils a condition, and returns it."""
    def look():
        quality = page.evaluate(QUALITY)
        look.last = quality
        return quality if quality and condition(quality) else None
    try:
        return until(look, seconds, what)
    except AssertionError as error:
        raise AssertionError(f"{error}; the last message: {look.last}") from None


def pictures(quality):
    return [slot for slot in quality["slots"] if slot["status"] == "forwarding" and "height" in slot]


@needs_namespaces
def test_quality(chromium):
    """Plausible numbers on a good path, bars with words, a reason for each slot; 10 % of loss shows, and goes again."""
    with rig.joined_namespaces() as ((near, _), (far, _)):
        with rig.Server("quality", namespace=near, host="10.99.71.1") as server:
            here = chromium.launch(namespace=near, origin=server.origin)
            there = chromium.launch(namespace=far, origin=server.origin, loopback=False)
            anna = chromium.open(here, server.link("anna", "garden", autojoin=1), "anna").joined()
            bela = chromium.open(there, server.link("bela", "garden", autojoin=1), "bela", scheme="dark").joined()
            bela.sees_and_hears(["anna"])
            good = told(bela, lambda one: one.get("mos") and pictures(one), 20, "bela is told of a picture and a score")
            assert 3.7 < good["mos"] <= 4.5
            assert 0 <= good["rttMilliseconds"] < 1000
            assert good["receiving"]["kilobitsPerSecond"] > 20 and good["sending"]["kilobitsPerSecond"] > 20
            assert good["receiving"]["lossPercent"] < 3
            picture = pictures(good)[0]
            assert picture["track"].startswith("p1/") and picture["height"] >= 90
            assert "that its publisher sends; on this slot: there is a slot for everybody" in picture["reason"]
            assert len(good["slots"]) == 2, "slots that nothing is on are not told"

            # The page: bars with words, and the panel.
            until(lambda: bela.page.locator("#quality").is_visible(), 5, "the bars are there")
            assert bela.page.get_attribute("#quality .bars", "aria-label").startswith("Connection: ")
            assert bela.page.locator('.tile[aria-label="Anna"] .bars').is_visible()
            bela.page.click("#quality")
            until(lambda: bela.page.locator(".why li").count() >= 2, 5, "the panel has a line for each slot in use")
            assert bela.page.inner_text("#panel-heading") == "Why?"
            text = bela.page.inner_text("#panel-body")
            assert "Anna" in text and "kbit/s" in text and "that its publisher sends" in text
            bela.screenshot("quality-good")

            lose(far, 10)
            bad = told(bela, lambda one: 5 <= one["receiving"]["lossPercent"] <= 18, 30, "10 % of loss shows")
            assert bad["mos"] < good["mos"] - 0.3
            assert told(anna, lambda one: True, 5, "anna is told, too")["receiving"]["lossPercent"] < 5
            until(lambda: bela.page.get_attribute("#quality .bars", "data-bars") in ("1", "2", "3"), 10, "fewer bars")
            bela.screenshot("quality-loss")
            bela.evaluate("() => { document.documentElement.dir = 'rtl'; }")
            bela.screenshot("quality-right-to-left")
            bela.evaluate("() => { document.documentElement.dir = 'ltr'; }")
            lose(far, 0)
            told(bela, lambda one: one["receiving"]["lossPercent"] < 2, 30, "the loss is over")
            # The statistics are another view of the same panel; Escape closes it.
            bela.page.click("#statistics")
            until(lambda: bela.page.inner_text("#panel-heading") == "Live statistics", 3, "the other view")
            bela.page.keyboard.press("Escape")
            until(lambda: bela.page.locator("#panel").is_hidden(), 3, "the panel is closed")
            assert not bela.errors and not anna.errors
            numbered = [one for one in bela.evaluate("() => seen.received") if one["type"] == "error"]
            assert not numbered


# The room is told that the path does not carry this participant's picture; what the server says of it is not heard until
# `window.telling` is cleared.
PAUSE = """(user) => {
  const { room, session } = window.majlis;
  const { id } = [...room.participants.values()].find((one) => one.user === user);
  const camera = room.slotOf(id, 'camera');
  const direction = { lossPercent: 0, jitterMilliseconds: 3, kilobitsPerSecond: 96 };
  const quality = {
    type: 'quality', mos: 4.2, rttMilliseconds: 38, receiving: { ...direction, estimateKilobitsPerSecond: 118 },
    sending: direction, slots: [
      { mid: camera.mid, track: camera.track, status: 'paused', wantedHeight: 360, neededKilobitsPerSecond: 152,
        kilobitsPerSecond: 0, reason: 'paused because the estimate of 118 kb/s is less than the 152 kb/s that 180p needs; '
          + 'on this slot: there is a slot for everybody' },
    ],
  };
  const others = [...room.slots.values()].filter(({ kind, source, mid }) => (
    kind === 'video' && source === 'camera' && mid !== camera.mid));
  for (const { mid, track } of others) {
    quality.slots.push({ mid, track, status: 'limited', layer: 0, temporalLayer: 1, height: 180, wantedHeight: 720,
      neededKilobitsPerSecond: 640, kilobitsPerSecond: 88, lossPercent: 0.4, reason: '180p at a lower frame rate because '
        + 'the estimate of 118 kb/s is less than the 640 kb/s that 360p needs; on this slot: there is a slot for everybody' });
  }
  window.telling = true;
  const parse = JSON.parse;
  JSON.parse = (...text) => {
    const message = parse(...text);
    return window.telling && message?.type === 'quality' ? quality : message;
  };
  session.dispatchEvent(new CustomEvent('message', { detail: quality }));
  const tile = document.querySelector(`.tile[data-key="${id}"]`);
  const note = tile.querySelector('.tile-note');
  return { picture: tile.classList.contains('has-picture'), note: note.hidden ? null : note.textContent,
    why: note.title, bars: tile.querySelector('.bars').dataset.bars };
}"""


def test_paused_picture(server, chromium):
    """A picture that the path does not carry is not left standing: its tile says why there is none, and shows it again after."""
    browser = chromium.launch()
    pages = {}
    for user, size, scheme in (("anna", (1280, 800), "light"), ("bela", (1280, 800), "dark"), ("carl", (390, 844), "light")):
        pages[user] = chromium.open(
            browser, server.link(user, "garden", autojoin=1), user, size=size, scheme=scheme).joined()
    for user, page in pages.items():
        page.sees_and_hears([other for other in pages if other != user])
    for user, page in pages.items():
        other = "anna" if user != "anna" else "bela"
        seen = page.evaluate(PAUSE, other)
        assert seen == {
            "picture": False, "note": "Video paused: your connection is too slow", "bars": "1",
            "why": "paused because the estimate of 118 kb/s is less than the 152 kb/s that 180p needs; "
                   "on this slot: there is a slot for everybody"}, seen
        page.page.click("#quality")
        until(lambda: page.page.locator('.why li[data-status="paused"]').count() == 1, 5, "the panel has the slot")
        text = page.page.inner_text("#panel-body")
        assert "118 kbit/s" in text and "more needs" in text and "fewer frames" in text
        page.screenshot(f"paused-why-{user}")
        page.page.keyboard.press("Escape")
        until(lambda: page.page.locator("#panel").is_hidden(), 3, "the panel is closed")
        page.screenshot(f"paused-{user}")
        page.evaluate("() => { window.telling = false; }")
        until(lambda: page.page.locator(f'.tile[aria-label="{other.capitalize()}"].has-picture').count() == 1, 12,
              "the picture is back with the next message")
        assert not page.errors


def test_hidden_page(server, chromium):
    """A page that nobody looks at asks for no pictures, and for those of its tiles when it is looked at again."""
    browser = chromium.launch()
    anna = chromium.open(browser, server.link("anna", "garden", autojoin=1), "anna").joined()
    bela = chromium.open(browser, server.link("bela", "garden", autojoin=1), "bela").joined()
    bela.sees_and_hears(["anna"])
    bela.evaluate("""() => {
      window.wishes = [];
      const send = WebSocket.prototype.send;
      WebSocket.prototype.send = function (text) {
        const message = JSON.parse(text);
        if (message.type === 'subscribe') wishes.push(...message.slots);
        return send.call(this, text);
      };
      window.look = (isHidden) => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => isHidden });
        document.dispatchEvent(new Event('visibilitychange'));
      };
    }""")
    # A glance elsewhere costs nothing.
    bela.evaluate("() => { look(true); look(false); }")
    bela.page.wait_for_timeout(1000)
    assert 0 not in [one["wantedHeight"] for one in bela.evaluate("() => wishes")]
    bela.evaluate("() => look(true)")
    until(lambda: [one["wantedHeight"] for one in bela.evaluate("() => wishes")][-1:] == [0], 8, "no picture is wanted")
    frames = bela.look()["people"]["anna"]["frames"]
    bela.page.wait_for_timeout(1500)
    assert bela.look()["people"]["anna"]["frames"] <= frames + 5
    bela.evaluate("() => look(false)")
    until(lambda: bela.evaluate("() => wishes.at(-1).wantedHeight") > 100, 8, "the tile's height is wanted again")
    bela.goes_on(["anna"], seconds=10)
    assert not anna.errors and not bela.errors
