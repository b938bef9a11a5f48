"""Firefox ESR and Chromium in one room; both directions decode."""

import os

import pytest

import rig
from firefox import FIREFOX, Firefox
from rig import ARTEFACTS, until


@pytest.mark.skipif(not os.path.exists(FIREFOX), reason="firefox-esr is not installed")
def test_firefox_and_chromium(server, chromium):
    browser = chromium.launch()
    anna = chromium.open(browser, server.link("anna", "garden", autojoin=1), "anna").joined()
    firefox = Firefox()
    try:
        firefox.open(server.link("fox", "garden", autojoin=1))
        until(lambda: firefox.evaluate("() => window.majlis?.room?.state === 'connected'"), 30, "Firefox is connected")
        firefox.evaluate("() => { window.seen = { setLocalDescription: 0, sent: {} }; }")
        anna.sees_and_hears(["fox"], plain=True)  # its synthetic picture is one colour at a time

        def fox_sees():
            one = (firefox.evaluate(rig.LOOK) or {}).get("people", {}).get("anna")
            fox_sees.last = one
            return one if one and one["frames"] > 10 and one["energy"] > 0 and one["showing"] else None

        one = until(fox_sees, 25, "Firefox decodes Chromium's picture and sound")
        assert one["luma"]["mean"] > 8 and one["luma"]["deviation"] > 2
        anna.goes_on(["fox"])
        firefox.screenshot(ARTEFACTS / "firefox.png")
        anna.screenshot("firefox-seen-by-chromium")
    finally:
        firefox.close()
