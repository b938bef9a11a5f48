"""Redundant audio (RFC 2198): a publisher that sends it is heard by who takes it and by who does not, and it is never there with
encryption."""

import pytest

import rig
from conftest import needs_namespaces
from rig import until
from test_quality import lose

# The counters of each slot that brings sound, by its mid.
HEARING = """async () => {
  const report = await window.majlis.room.peerConnection.getStats();
  const found = {};
  for (const stats of report.values()) {
    if (stats.type !== 'inbound-rtp' || stats.kind !== 'audio' || !stats.packetsReceived) continue;
    found[stats.mid] = {
      packets: stats.packetsReceived, bytes: stats.bytesReceived, samples: stats.totalSamplesReceived,
      concealed: stats.concealedSamples,
    };
  }
  return found;
}"""

# A browser whose slots do not take redundant audio.
WITHOUT = """
  const prefer = RTCRtpTransceiver.prototype.setCodecPreferences;
  RTCRtpTransceiver.prototype.setCodecPreferences = function (codecs) {
    return prefer.call(this, codecs.filter(({ mimeType }) => mimeType.toLowerCase() !== 'audio/red'));
  };
"""


def heard(page, user):
    """What comes on the slot of this participant's sound, or None."""
    one = page.look()["people"].get(user)
    return page.evaluate(HEARING).get(one["audioMid"]) if one and "audioMid" in one else None


def bytes_per_packet(page, user):
    """Of the last second or so, when enough has come."""
    before = heard(page, user)
    page.page.wait_for_timeout(1000)
    after = heard(page, user)
    packets = after["packets"] - before["packets"] if before and after else 0
    return (after["bytes"] - before["bytes"]) / packets if packets > 20 else None


def test_passed_and_stripped(server, chromium):
    """Browsers tell of the codec within alone: it is the bytes of a packet that show what is carried beside it."""
    browser = chromium.launch()
    anna = chromium.open(browser, server.link("anna", "garden", autojoin=1, red=1), "anna").joined()
    bela = chromium.open(browser, server.link("bela", "garden", autojoin=1), "bela").joined()
    carl = chromium.open(browser, server.link("carl", "garden", autojoin=1), "carl", init=WITHOUT).joined()
    for page, others in ((bela, ["anna", "carl"]), (carl, ["anna", "bela"]), (anna, ["bela", "carl"])):
        page.sees_and_hears(others)

    def answered(page, kind):
        return page.evaluate("""(kind) => majlis.room.peerConnection.remoteDescription.sdp.split('m=').slice(1)
            .filter((section) => section.startsWith('audio') && section.includes(`a=${kind}`))
            .map((section) => section.includes('red/48000/2'))""", kind)
    # Who publishes in RED, and who takes it.
    assert [answered(page, "recvonly") for page in (anna, bela, carl)] == [[True], [False], [False]]
    assert all(answered(bela, "sendonly")) and not any(answered(carl, "sendonly"))

    plain = until(lambda: bytes_per_packet(bela, "carl"), 10, "bela hears carl")
    double = until(lambda: bytes_per_packet(bela, "anna"), 10, "bela hears anna")
    stripped = until(lambda: bytes_per_packet(carl, "anna"), 10, "carl hears anna")
    print(f"bytes a packet: {plain:.0f} plain, {double:.0f} redundant, {stripped:.0f} with the redundancy taken out")
    assert double > 1.6 * plain and double > 1.6 * stripped
    assert stripped < 1.3 * plain
    for page in (anna, bela, carl):
        assert not page.errors


@pytest.mark.slow
@needs_namespaces
def test_loss(chromium):
    """Of what is lost on the way to a receiver redundancy brings most back; sound without it has to be made up."""
    with rig.joined_namespaces() as ((near, _), (far, _)):
        with rig.Server("redundancy", namespace=near, host="10.99.71.1") as server:
            here = chromium.launch(namespace=near, origin=server.origin)
            there = chromium.launch(namespace=far, origin=server.origin, loopback=False)
            anna = chromium.open(here, server.link("anna", "garden", autojoin=1, red=1), "anna").joined()
            carl = chromium.open(here, server.link("carl", "garden", autojoin=1), "carl").joined()
            bela = chromium.open(there, server.link("bela", "garden", autojoin=1), "bela").joined()
            bela.sees_and_hears(["anna", "carl"])
            lose(far, 15)
            bela.page.wait_for_timeout(3000)
            before = {user: heard(bela, user) for user in ("anna", "carl")}
            bela.page.wait_for_timeout(15_000)
            after = {user: heard(bela, user) for user in ("anna", "carl")}

            def share(user):
                now, then = after[user], before[user]
                return (now["concealed"] - then["concealed"]) / (now["samples"] - then["samples"])
            print(f"made up at 15 % loss: {share('anna'):.1%} with redundancy, {share('carl'):.1%} without")
            assert share("anna") < 0.6 * share("carl")
            assert not bela.errors and not anna.errors


def test_never_with_encryption(server, chromium):
    browser = chromium.launch()
    link = {"autojoin": 1, "red": 1, "e2ee": "a passphrase of no importance"}
    anna = chromium.open(browser, server.link("anna", "garden", **link), "anna").joined()
    bela = chromium.open(browser, server.link("bela", "garden", **link), "bela").joined()
    bela.sees_and_hears(["anna"])
    for page in (anna, bela):
        for side in ("localDescription", "remoteDescription"):
            assert "red/48000" not in page.evaluate(f"() => majlis.room.peerConnection.{side}.sdp")
        assert not page.errors
