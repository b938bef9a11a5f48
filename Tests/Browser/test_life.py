"""The life of a room in real browsers: the lobby, hands, the host's powers, messages, languages; each with a screenshot."""

import os

import pytest

import capture_world
import rig
from rig import until

HOST = {"canModerate": True}
LISTENER = {"role": "listener"}


@pytest.fixture
def life(request, chromium):
    """A server with a lobby and browsers for it; `MAJLIS_WEB_ROOT` serves the page from a folder."""
    rooms = getattr(request, "param", {})
    listen = {"webRoot": os.environ["MAJLIS_WEB_ROOT"]} if "MAJLIS_WEB_ROOT" in os.environ else {}
    with rig.Server(request.node.name.replace("/", "-"), rooms=rooms, listen=listen) as started:
        yield started


def act(page, participant, action):
    """Opens somebody's actions in the people view and presses one."""
    row = page.page.locator(f'#people-view [data-kind="stage"] li[data-id="{participant}"], '
                            f'#people-view [data-kind="audience"] li[data-id="{participant}"]').first
    if row.locator(".actions").count() == 0:
        row.locator("button.plain").click()
    row.locator(f'button[data-key$="-{action}"]').click()


def own_id(page):
    return page.evaluate("() => majlis.room.self.id")


@pytest.mark.parametrize("life", [{"lobby": True}], indirect=True)
def test_host_and_audience(life, chromium):
    """A host admits from the lobby; a listener raises a hand, is invited, speaks, is muted, and is removed."""
    browser = chromium.launch()
    hana = chromium.open(browser, life.link("hana", "garden", autojoin=1, claims=HOST), "hana").joined()
    lina = chromium.open(browser, life.link("lina", "garden", autojoin=1, claims=LISTENER), "lina", size=(390, 844))

    # She waits, and knows nothing of the room.
    until(lambda: lina.page.locator("#waiting-heading").is_visible(), 8, "lina waits")
    lina.screenshot("life-waiting")
    assert lina.evaluate("() => majlis.room === null || majlis.room.participants.size === 0")
    assert {one["type"] for one in lina.evaluate("() => seen.received")} <= {"welcome", "lobby"}
    until(lambda: hana.page.locator("#people-badge").inner_text() == "1", 5, "hana is told that somebody waits")
    hana.page.click("#people-button")
    until(lambda: hana.page.locator("#door li").count() == 1, 3, "the door shows who waits")
    hana.screenshot("life-door")
    # With the keyboard alone.
    hana.page.focus('#door button[data-key^="admit-"]')
    hana.page.keyboard.press("Enter")
    lina.joined()
    assert lina.evaluate("() => majlis.room.role") == "listener"
    assert lina.evaluate("() => majlis.devices.microphone === null && majlis.devices.camera === null")
    assert not lina.page.locator("#microphone").is_visible()
    until(lambda: hana.page.locator("#audience .listener").count() == 1, 3, "lina is in the audience")
    until(lambda: lina.page.locator(".tile").count() == 1, 3, "lina sees hana alone on the stage")

    # She asks to speak, and is invited.
    lina.page.click("#hand")
    until(lambda: lina.page.get_attribute("#hand", "aria-pressed") == "true", 3, "her hand is up")
    until(lambda: hana.page.locator('#people-view [data-kind="hand"] li').count() == 1, 3, "hana sees the hand")
    hana.screenshot("life-hand")
    lina.screenshot("life-listener-phone")
    act(hana, own_id(lina), "invite")
    until(lambda: lina.evaluate("() => majlis.room.role") == "speaker", 3, "lina may speak")
    assert lina.evaluate("() => majlis.room.isMuted('microphone')"), "nobody is unmuted by somebody else"
    offers = lina.look()["seen"]["sent"].get("offer", 0)
    lina.page.click("#microphone")
    until(lambda: not lina.evaluate("() => majlis.room.isMuted('microphone')"), 5, "lina speaks")
    lina.page.click("#camera")
    hana.sees_and_hears(["lina"])
    assert lina.look()["seen"]["sent"].get("offer", 0) == offers and lina.look()["counts"]["joins"] == 1
    hana.screenshot("life-stage")
    lina.screenshot("life-speaker-phone")

    # The host mutes her: she sees it, and nothing more is heard.
    lina_id = own_id(lina)
    act(hana, lina_id, "mute")
    until(lambda: lina.evaluate("() => majlis.room.isMuted('microphone')"), 3, "lina is muted")
    until(lambda: lina.page.get_attribute("#microphone", "aria-pressed") == "true", 3, "and sees it")
    until(lambda: hana.page.locator(f'.tile[data-key="{lina_id}"] .tile-muted').is_visible(), 3, "hana sees it")
    # An unmute by the host is a question.
    act(hana, lina_id, "unmute")
    until(lambda: lina.page.locator("#ask").is_visible(), 3, "lina is asked")
    lina.screenshot("life-asked-phone")
    lina.page.click("#ask button.strong")
    until(lambda: not lina.evaluate("() => majlis.room.isMuted('microphone')"), 3, "lina is heard again")
    hana.sees_and_hears(["lina"])

    # She is removed, and told so.
    act(hana, lina_id, "kick")
    until(lambda: lina.page.locator("#ended-heading").is_visible(), 5, "lina is told")
    assert lina.evaluate("() => document.getElementById('ended').dataset.reason") == "removed"
    lina.screenshot("life-removed-phone")
    until(lambda: hana.page.locator(".tile").count() == 1, 3, "hana is alone")
    left = hana.events("participantLeft")
    assert left[-1]["reason"] == "removed"
    for page in (hana, lina):
        assert not page.errors, page.errors


@pytest.mark.parametrize("life", [{"lobby": True}], indirect=True)
def test_denied(life, chromium):
    browser = chromium.launch()
    hana = chromium.open(browser, life.link("hana", "garden", autojoin=1, claims=HOST), "hana").joined()
    lina = chromium.open(browser, life.link("lina", "garden", autojoin=1, claims=LISTENER), "lina")
    hana.page.click("#people-button")
    until(lambda: hana.page.locator("#door li").count() == 1, 8, "lina waits")
    hana.page.click('#door button[data-key^="deny-"]')
    until(lambda: lina.page.locator("#ended-heading").is_visible(), 5, "lina is told")
    assert lina.evaluate("() => document.getElementById('ended').dataset.reason") == "denied"
    for page in (hana, lina):
        assert not page.errors, page.errors


def test_messages_and_signs(life, chromium):
    browser = chromium.launch()
    hana = chromium.open(browser, life.link("hana", "garden", autojoin=1, claims=HOST), "hana").joined()
    sami = chromium.open(browser, life.link("sami", "garden", autojoin=1), "sami", scheme="dark").joined()
    lina = chromium.open(browser, life.link("lina", "garden", autojoin=1, claims=LISTENER), "lina",
                         size=(390, 844), scheme="dark").joined()
    for page in (hana, sami):
        page.page.click("#messages-button")
        until(lambda: page.page.locator("#message-text").is_visible(), 3, "the messages are open")
    hana.page.fill("#message-text", "Selamat datang, <b>all</b>")
    hana.page.keyboard.press("Enter")
    until(lambda: sami.page.locator("#message-list .message").count() == 1, 3, "sami reads it")
    assert sami.page.inner_text("#message-list .message p") == "Selamat datang, <b>all</b>"
    until(lambda: lina.page.inner_text("#messages-badge") == "1", 3, "lina sees that there is a message")
    sami.page.fill("#message-text", "مرحبًا بالجميع")
    sami.page.select_option("#message-to", own_id(hana))
    sami.page.click("#message-send")
    until(lambda: hana.page.locator("#message-list .message").count() == 2, 3, "hana gets a message of her own")
    assert hana.page.locator("#message-list .private").count() == 1
    assert lina.page.locator("#message-list .message").count() == 1
    lina.page.click("#more")
    lina.page.click("#react")
    lina.screenshot("life-reactions-phone")
    lina.page.click(".reaction >> nth=0")
    until(lambda: hana.page.locator(".floating").count() == 1, 3, "hana sees the sign")
    hana.screenshot("life-messages")
    sami.screenshot("life-messages-dark")
    # The end for all.
    hana.page.on("dialog", lambda dialog: dialog.accept())
    hana.page.click("#people-button")
    hana.page.click('#people-view button[data-key="end-all"]')
    for page in (hana, sami, lina):
        until(lambda: page.page.locator("#ended-heading").is_visible(), 5, f"{page.user} is told of the end")
        assert page.evaluate("() => document.getElementById('ended').dataset.reason") == "roomEnded"
        assert not page.errors, page.errors


FIFTY = """(role) => {
  const room = majlis.room;
  const names = ['Amina', 'Budi Santoso', 'Carol', 'فاطمة الزهراء', 'Dewi', 'Encik Razak', 'Siti Nurhaliza', '李明'];
  for (let n = 100; n < 149; n += 1) {
    const participant = { id: `p${n}`, number: n, user: `u${n}`, name: `${names[n % names.length]} ${n}`, role: role ?? (n % 7 ? 'speaker' : 'listener'),
      tracks: [{ id: `p${n}/0`, mid: '0', kind: 'audio', source: 'microphone', muted: n % 3 > 0 }], ...(n % 11 === 0 && { hand: n }) };
    room.participants.set(participant.id, participant);
    room.dispatchEvent(new CustomEvent('participantJoined', { detail: { participant } }));
  }
}"""


@pytest.mark.parametrize("language", ["ar", "ms", "id", "en"])
def test_languages(life, chromium, language):
    """Each language, on a wide and a narrow screen; nothing sticks out, nothing is left in English."""
    browser = chromium.launch()
    for size, scheme in (((1280, 800), "light"), ((390, 844), "dark")):
        link = life.link("hana", "garden", autojoin=1, claims=HOST, lang=language)
        page = chromium.open(browser, link, "hana", size=size, scheme=scheme).joined()
        assert page.evaluate("() => [document.documentElement.lang, document.documentElement.dir]") == [
            language, "rtl" if language == "ar" else "ltr"]
        page.evaluate(FIFTY)
        until(lambda: page.page.locator(".tile").count() >= 40, 3, "there are fifty people")
        page.screenshot(f"life-{language}-{size[0]}")
        page.page.click("#people-button")
        page.page.wait_for_selector("#people-view li")
        page.page.click("#people-view li[data-id=p101] button.plain >> nth=-1")
        page.page.wait_for_selector("#people-view .actions")
        page.screenshot(f"life-{language}-{size[0]}-people")
        wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{wide} px stick out"
        outside = page.evaluate("""() => [...document.querySelectorAll('#room button, #room .chip')]
            .filter((one) => one.checkVisibility() && !one.closest('#people-view, #audience, #stage'))
            .map((one) => [one.id, one.getBoundingClientRect()])
            .filter(([, box]) => box.left < -1 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1)
            .map(([id]) => id)""")
        assert not outside, outside
        unnamed = page.evaluate("""() => [...document.querySelectorAll('#room button')]
            .filter((button) => button.checkVisibility() && !button.textContent.trim()
              && !button.getAttribute('aria-label')).map((button) => button.id || button.dataset.key)""")
        assert not unnamed, unnamed
        assert not page.errors, page.errors
        page.page.close()


def test_fifty_tiles_on_a_phone(life, chromium):
    browser = chromium.launch()
    page = chromium.open(browser, life.link("sami", "garden", autojoin=1), "sami", size=(390, 844)).joined()
    page.evaluate(FIFTY, "speaker")
    until(lambda: page.page.locator(".tile").count() == 50, 3, "fifty tiles")
    boxes = page.evaluate("() => [...document.querySelectorAll('.tile')].map((one) => one.getBoundingClientRect().toJSON())")
    assert all(box["width"] >= 100 and box["left"] >= 0 and box["right"] <= 390 for box in boxes)
    page.screenshot("life-fifty-phone")
    assert page.evaluate("() => { const s = document.getElementById('stage'); return s.scrollHeight > s.clientHeight; }")
    assert page.page.locator("#leave").is_visible()
    assert not page.errors, page.errors


SPEAK = """(id) => majlis.room.dispatchEvent(new CustomEvent('speakers', { detail: { speakers: {
  dominant: id, active: id ? [{ participant: id, level: 20 }] : [] } } }))"""
PLACES = """() => Object.fromEntries([...document.querySelectorAll('.tile:not(.large), .tile-place')]
  .map((one) => [one.dataset.key ?? 'place', one.getBoundingClientRect().toJSON()]))"""


def large(page):
    return page.evaluate("() => [...document.querySelectorAll('.tile.large')].map((one) => one.dataset.key)")


@pytest.mark.parametrize("size", [(390, 844), (1280, 800)])
def test_who_has_the_floor_is_large(life, chromium, size):
    """Of fifty people one is large: not for a word, not oneself, and nobody else moves; who is pinned stays."""
    browser = chromium.launch()
    page = chromium.open(browser, life.link("sami", "garden", autojoin=1), "sami", size=size,
                         init=capture_world.devices(pitch=120)).joined()
    page.evaluate(FIFTY, "speaker")
    until(lambda: page.page.locator(".tile").count() == 50, 3, "fifty tiles")
    assert large(page) == []
    page.evaluate(SPEAK, "p104")
    until(lambda: large(page) == ["p104"], 2, "who speaks is large")
    box = page.evaluate("() => document.querySelector('.tile.large').getBoundingClientRect().toJSON()")
    others = page.evaluate(PLACES)
    assert box["left"] >= 0 and box["right"] <= size[0]
    assert box["height"] >= 1.5 * others["p105"]["height"] and box["width"] >= 1.5 * others["p105"]["width"]
    # A word of somebody else changes nothing.
    page.evaluate(SPEAK, "p120")
    page.page.wait_for_timeout(250)
    page.evaluate(SPEAK, "p104")
    page.page.wait_for_timeout(600)
    assert large(page) == ["p104"]
    # Somebody else goes on speaking: the two change places, and nobody else moves.
    page.evaluate(SPEAK, "p120")
    until(lambda: large(page) == ["p120"], 5, "the next who speaks is large")
    after = page.evaluate(PLACES)
    moved = [key for key in others if key not in ("place", "p120") and others[key] != after[key]]
    assert not moved and after["place"] == others["p120"] and after["p104"] == others["place"], moved
    # Oneself is not shown large, and silence changes nothing.
    for one in (page.evaluate("() => majlis.room.self.id"), None):
        page.evaluate(SPEAK, one)
        page.page.wait_for_timeout(700)
        assert large(page) == ["p120"]
    # It stays in sight while the others are scrolled.
    page.evaluate("() => { document.getElementById('stage').scrollTop = 10_000; }")
    stage, top = page.evaluate("""() => ['#stage', '.tile.large']
        .map((one) => document.querySelector(one).getBoundingClientRect().top)""")
    assert abs(stage - top) < 2
    page.screenshot(f"life-large-{size[0]}")
    # Pinned with the keyboard: it stays whoever speaks, and its picture and sound have slots of their own.
    page.evaluate("() => { document.getElementById('stage').scrollTop = 0; }")
    page.page.focus('.tile-pin[tabindex="0"]')
    for _ in range(4):
        page.page.keyboard.press("ArrowRight")
    pinned = page.evaluate("() => document.activeElement.closest('.tile').dataset.key")
    page.page.keyboard.press("Enter")
    until(lambda: large(page) == [pinned], 2, "who was pinned is large")
    page.evaluate(SPEAK, "p130")
    page.page.wait_for_timeout(2_800)
    assert large(page) == [pinned]
    assert page.page.locator('.tile-pin[aria-pressed="true"]').count() == 1
    page.page.keyboard.press("Enter")
    until(lambda: large(page) == ["p130"], 4, "it is whoever speaks again")
    # Who is large and leaves leaves the place to another.
    page.evaluate("""() => {
      const participant = majlis.room.participants.get('p130');
      majlis.room.participants.delete('p130');
      majlis.room.dispatchEvent(new CustomEvent('participantLeft', { detail: { participant, reason: 'left' } }));
    }""")
    until(lambda: len(large(page)) == 1 and large(page) != ["p130"], 2, "the place is not left empty")
    # In a small room all are large.
    page.evaluate("""() => {
      for (const participant of [...majlis.room.participants.values()].slice(2)) {
        majlis.room.participants.delete(participant.id);
        majlis.room.dispatchEvent(new CustomEvent('participantLeft', { detail: { participant, reason: 'left' } }));
      }
    }""")
    until(lambda: large(page) == [] and page.page.locator(".tile-place").count() == 0, 2, "nobody is large among three")
    assert not page.errors, page.errors
