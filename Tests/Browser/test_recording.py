"""A room that is being recorded shows it to everybody in it, for as long as it lasts; with screenshots."""

import json
import pathlib
import urllib.request

import pytest

import rig
from rig import until

needs_recorder = pytest.mark.skipif(
    not (pathlib.Path(__file__).parents[2] / "Sources/Server/Media/MediaTurn+Captures.swift").exists(),
    reason="the media worker does not record")


def ask(server, method, path, body=None):
    """One call of an operator; the answer's status and JSON."""
    token = rig.token("operator", "*", admin=True, canRecord=True)
    request = urllib.request.Request(
        server.origin + path, method=method, data=json.dumps(body).encode() if body is not None else None,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, json.load(answer)


@needs_recorder
def test_badges(chromium, tmp_path):
    with rig.Server("recording", captures={"folder": str(tmp_path / "captures")}) as server:
        browser = chromium.launch()
        anna = chromium.open(browser, server.link("anna", "garden", autojoin=1), "anna").joined()
        badge = "#recording"
        assert not anna.page.locator(badge).is_visible()

        for payload, word, scheme in (("headers", "Diagnostics", "light"), ("whole", "Recording", "dark")):
            status, begun = ask(server, "POST", "/v1/rooms/garden/captures", {"seconds": 60, "payload": payload})
            assert status == 201 and begun["payload"] == payload
            until(lambda: anna.page.locator(badge).is_visible(), 5, f"anna is shown {payload}")
            # Who comes later is shown it from the first moment.
            bela = chromium.open(browser, server.link("bela", "garden", autojoin=1), "bela",
                                 size=(390, 844), scheme=scheme).joined()
            for page in (anna, bela):
                until(lambda: page.page.locator(badge).is_visible(), 5, f"{page.user} is shown {payload}")
                assert page.page.inner_text(f"{badge} [aria-hidden]") == word
                assert page.page.get_attribute(badge, "aria-live") == "polite"
                assert "is being recorded" in page.page.inner_text(f"{badge} .visually-hidden")
                # The bar makes room for it, on a phone too.
                box = page.page.locator("#leave").bounding_box()
                assert box["x"] + box["width"] <= page.page.viewport_size["width"]
                page.screenshot(f"recording-{payload}-{page.user}")
            status, ended = ask(server, "DELETE", "/v1/rooms/garden/captures")
            assert status == 200 and ended["path"] == begun["path"]
            for page in (anna, bela):
                until(lambda: not page.page.locator(badge).is_visible(), 5, f"{page.user} is shown the end")
                assert not page.errors
            bela.page.click("#leave")
