"""What the page says when something is not as it should be; each with a screenshot."""

import urllib.request

import rig
from rig import until


def ended(page, reason, heading, name):
    until(lambda: page.page.locator("#ended-heading").is_visible(), 10, f"the page says: {heading}")
    assert page.evaluate("() => document.getElementById('ended').dataset.reason") == reason
    assert page.page.inner_text("#ended-heading") == heading
    page.screenshot(name)
    assert not page.errors


def test_lobby(server, chromium):
    browser = chromium.launch()
    for name, size, scheme in (("lobby-desktop", (1280, 800), "light"), ("lobby-phone", (390, 844), "dark")):
        page = chromium.open(browser, server.link("anna", "garden"), "anna", size=size, scheme=scheme)
        until(lambda: page.is_true("document.getElementById('preview-video').videoWidth > 0"), 10, "the preview plays")
        assert page.page.locator("#lobby-devices select").count() >= 2
        assert page.page.inner_text("#lobby-name") == "Anna"
        page.screenshot(name)
        assert not page.errors
    # With the keyboard alone.
    page.page.focus("#join")
    page.page.keyboard.press("Enter")
    page.joined()
    page.page.keyboard.press("Control+d")
    until(lambda: page.page.get_attribute("#microphone", "aria-pressed") == "true", 3, "Ctrl+D mutes")
    unnamed = page.evaluate("""() => [...document.querySelectorAll('#room button:not([hidden])')]
        .filter((button) => !button.textContent.trim() && !button.getAttribute('aria-label')).length""")
    assert unnamed == 0


def test_microphone_and_camera_denied(server, chromium):
    listener = chromium.launch(fake_permission=False, extra=["--deny-permission-prompts"])
    speaker = chromium.launch()
    anna = chromium.open(speaker, server.link("anna", "garden", autojoin=1), "anna").joined()
    page = chromium.open(listener, server.link("bela", "garden"), "bela")
    until(lambda: page.page.locator("#lobby-notice").is_visible(), 8, "the page says that nothing was allowed")
    assert "did not allow" in page.page.inner_text("#lobby-notice")
    page.screenshot("denied")
    page.page.click("#join")
    page.joined().sees_and_hears(["anna"])
    assert anna.page.locator('.tile[aria-label="Bela"] .tile-muted').is_visible()
    page.screenshot("denied-listening")


def test_expired_and_forged_links(server, chromium):
    browser = chromium.launch()
    ended(chromium.open(browser, server.link("anna", "garden", seconds=-3600), "anna"),
          "expired", "This link has expired", "expired")
    forged = server.link("anna", "garden")[:-6] + "AAAAAA"
    ended(chromium.open(browser, forged, "anna"), "unauthorised", "This link is not valid", "forged")
    ended(chromium.open(browser, server.origin + "/", "anna"), "noLink", "This link is not complete", "no-link")
    other = server.link("anna", "garden", autojoin=1).replace("room=garden", "room=cellar")
    ended(chromium.open(browser, other, "anna"), "forbidden", "You may not enter this room", "forbidden")


def test_full_room_and_replaced(chromium):
    with rig.Server("full", rooms={"maximumParticipants": 1}) as server:
        browser = chromium.launch()
        device = "sessionStorage.setItem('majlis.device', 'one');"
        anna = chromium.open(browser, server.link("anna", "garden", autojoin=1), "anna", init=device).joined()
        bela = chromium.open(browser, server.link("bela", "garden", autojoin=1), "bela", size=(390, 844))
        ended(bela, "roomFull", "The room is full", "full")
        # The same person on the same device takes their own place, and the first page says so.
        again = chromium.open(browser, server.link("anna", "garden", autojoin=1), "anna", init=device).joined()
        ended(anna, "replaced", "You joined from somewhere else", "replaced")
        assert again.look()["state"] == "connected"


def test_publishing_not_granted(server, chromium):
    browser = chromium.launch()
    anna = chromium.open(browser, server.link("anna", "garden", autojoin=1), "anna").joined()
    bela = chromium.open(
        browser, server.link("bela", "garden", autojoin=1, claims={"canPublish": False}), "bela").joined()
    bela.sees_and_hears(["anna"])
    assert anna.evaluate("() => [...majlis.room.participants.values()][0].tracks.length") == 0


def test_autoplay_refused(server, chromium):
    """A page that was never touched may not play sound: a button asks for the touch."""
    browser = chromium.launch()
    anna = chromium.open(browser, server.link("anna", "garden", autojoin=1), "anna").joined()
    refuse = """
      const play = HTMLMediaElement.prototype.play;
      HTMLMediaElement.prototype.play = function () {
        if (this.localName !== 'audio' || window.touched) return play.call(this);
        return Promise.reject(new DOMException('no', 'NotAllowedError'));
      };
      addEventListener('pointerdown', () => { window.touched = true; }, true);"""
    bela = chromium.open(browser, server.link("bela", "garden", autojoin=1), "bela", size=(390, 844), init=refuse)
    bela.joined()
    until(lambda: bela.page.locator("#tap-to-hear").is_visible(), 5, "the page asks for a tap")
    bela.screenshot("tap-to-hear")
    bela.page.click("#tap-to-hear")
    until(lambda: not bela.page.locator("#tap-to-hear").is_visible(), 3, "and is content with one")
    bela.sees_and_hears(["anna"])


def test_device_unplugged(server, chromium):
    browser = chromium.launch()
    anna = chromium.open(browser, server.link("anna", "garden", autojoin=1), "anna").joined()
    bela = chromium.open(browser, server.link("bela", "garden", autojoin=1), "bela").joined()
    anna.sees_and_hears(["bela"])
    bela.evaluate("""() => {
      const track = majlis.room.track('camera');
      track.stop();
      track.dispatchEvent(new Event('ended'));
    }""")
    until(lambda: bela.page.locator(".toast").count() > 0, 5, "bela is told")
    assert "unplugged" in bela.page.inner_text(".toast >> nth=-1")
    bela.screenshot("unplugged")
    anna.goes_on(["bela"])
    assert bela.look()["seen"]["setLocalDescription"] == 1


def test_the_table_names_every_file(server):
    """What is in the folder is in the binary, byte for byte, with a type that browsers take."""
    folder = rig.ROOT / "Sources" / "CWebClient" / "web"
    types = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
             ".js": "text/javascript; charset=utf-8"}
    for path in sorted(folder.iterdir()):
        with urllib.request.urlopen(f"{server.origin}/{path.name}", timeout=5) as answer:
            assert answer.headers["Content-Type"] == types[path.suffix], path.name
            assert answer.read() == path.read_bytes(), path.name
