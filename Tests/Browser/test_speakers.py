"""Who speaks, on the page: the one who talks has the floor on everybody's stage, and keeps it through a word of somebody else."""

import capture_world
from rig import until


def floor(page):
    """Whose tile is marked as having the floor."""
    return page.evaluate("() => [...document.querySelectorAll('.tile.dominant')].map((one) => one.dataset.key)")


def test_floor_and_rings(server, chromium):
    browser = chromium.launch()
    pages = {user: chromium.open(browser, server.link(user, "garden", autojoin=1), user,
                                 init=capture_world.devices(pitch=pitch)).joined()
             for user, pitch in (("anna", 210), ("bela", 120), ("carl", 100))}
    anna, bela, carl = pages.values()
    own = {user: page.look()["self"] for user, page in pages.items()}
    for page in pages.values():
        until(lambda: page.page.locator(".tile").count() == 3, 5, f"{page.user} sees three tiles")

    def all_see(user):
        for page in pages.values():
            key = "self" if page.user == user else own[user]
            until(lambda: floor(page) == [key], 8, f"{page.user} sees that {user} has the floor")

    def rings(page):
        return page.evaluate("() => [...document.querySelectorAll('.tile.speaking')].map((one) => one.dataset.key)")

    bela.evaluate("() => voice.speak(12)")
    all_see("bela")
    until(lambda: rings(anna) == [own["bela"]], 3, "anna sees the ring of bela alone")
    width = anna.evaluate("() => document.querySelector('.tile.speaking').style.getPropertyValue('--level')")
    assert 0 < float(width) <= 1
    anna.screenshot("speakers-bela")

    # Somebody says a word into it: his ring is shown, and the floor stays where it is.
    carl.evaluate("() => voice.speak(0.45)")
    until(lambda: own["carl"] in rings(anna), 3, "the word is heard")
    until(lambda: own["carl"] not in rings(anna), 3, "and over")
    assert floor(anna) == [own["bela"]] and floor(bela) == ["self"]

    # Bela is done, and anna speaks.
    until(lambda: not rings(carl), 15, "it is quiet")
    assert floor(carl) == [own["bela"]]
    anna.evaluate("() => voice.speak(4)")
    all_see("anna")

    # Who has the floor and goes leaves it to nobody.
    anna.page.click("#leave")
    until(lambda: not floor(bela) and not floor(carl), 5, "nobody has the floor")
    for page in pages.values():
        assert not page.errors, page.errors
