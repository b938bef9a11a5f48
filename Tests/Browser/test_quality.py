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
            assert any(slot["status"] == "empty" for slot in good["slots"])

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
