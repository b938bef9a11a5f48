"""Redundant audio (RFC 2198): a publisher that sends it is heard by who takes it and by who does not, and it is never there with
encryption."""

from rig import until

# The codec and the counters of each slot that brings sound.
HEARING = """async () => {
  const report = await window.majlis.room.peerConnection.getStats();
  const found = [];
  for (const stats of report.values()) {
    if (stats.type !== 'inbound-rtp' || stats.kind !== 'audio' || !stats.packetsReceived) continue;
    found.push({
      codec: report.get(stats.codecId)?.mimeType, packets: stats.packetsReceived, energy: stats.totalAudioEnergy,
      redundant: stats.fecPacketsReceived ?? 0, bytes: stats.bytesReceived, samples: stats.totalSamplesReceived,
      concealed: stats.concealedSamples, silent: stats.silentConcealedSamples,
    });
  }
  return found;
}"""

SENDING = """async () => {
  const report = await window.majlis.room.peerConnection.getStats();
  for (const stats of report.values()) {
    if (stats.type === 'outbound-rtp' && stats.kind === 'audio' && stats.packetsSent > 20) {
      return { codec: report.get(stats.codecId)?.mimeType, bytesPerPacket: stats.bytesSent / stats.packetsSent };
    }
  }
  return null;
}"""

# A browser whose slots do not take redundant audio.
WITHOUT = """
  const prefer = RTCRtpTransceiver.prototype.setCodecPreferences;
  RTCRtpTransceiver.prototype.setCodecPreferences = function (codecs) {
    return prefer.call(this, codecs.filter(({ mimeType }) => mimeType.toLowerCase() !== 'audio/red'));
  };
"""


def test_passed_and_stripped(server, chromium):
    browser = chromium.launch()
    anna = chromium.open(browser, server.link("anna", "garden", autojoin=1, red=1), "anna").joined()
    bela = chromium.open(browser, server.link("bela", "garden", autojoin=1), "bela").joined()
    carl = chromium.open(browser, server.link("carl", "garden", autojoin=1), "carl", init=WITHOUT).joined()
    for page, others in ((bela, ["anna", "carl"]), (carl, ["anna", "bela"]), (anna, ["bela", "carl"])):
        page.sees_and_hears(others)
    sending = until(lambda: anna.evaluate(SENDING), 10, "anna sends sound")
    assert sending["codec"].lower() == "audio/red", sending
    # Nobody else asked for it.
    assert until(lambda: bela.evaluate(SENDING), 10, "bela sends sound")["codec"].lower() == "audio/opus"

    def hears(page, codec):
        return [one for one in page.evaluate(HEARING) if one["codec"].lower() == codec and one["energy"] > 0]
    taken = until(lambda: [one for one in hears(bela, "audio/red") if one["redundant"] > 10], 15,
                  "bela gets earlier packets beside the newest")
    assert len(hears(bela, "audio/opus")) == 1 and len(taken) == 1
    until(lambda: len(hears(carl, "audio/opus")) == 2, 15, "carl hears both as Opus")
    assert not hears(carl, "audio/red")
    assert all(one["redundant"] == 0 for one in carl.evaluate(HEARING))
    # What carl gets of anna is what a packet without redundancy has.
    for page in (anna, bela, carl):
        assert not page.errors


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
    assert anna.evaluate(SENDING)["codec"].lower() == "audio/opus"
