"""Three browsers in a room of fifty: what they play is recorded, has energy while others talk and none while all are silent; and
they negotiate once, whoever comes and goes."""

import contextlib
import json
import os
import subprocess

import pytest

import capture_world
from rig import SECRET, binary, bound, until

BOTS = 47
# A block of 4,096 samples is 85 ms. Below the one it is silent, above the other somebody talks.
SILENT_DECIBELS, LOUD_DECIBELS = -60, -45

# What happens to any peer connection of the page.
WATCH = """
window.negotiations = { negotiationneeded: 0, signalingstatechange: [], connections: 0 };
const NativePeerConnection = RTCPeerConnection;
window.RTCPeerConnection = class extends NativePeerConnection {
  constructor(...args) {
    super(...args);
    negotiations.connections += 1;
    this.addEventListener('negotiationneeded', () => { negotiations.negotiationneeded += 1; });
    this.addEventListener('signalingstatechange', () => { negotiations.signalingstatechange.push(this.signalingState); });
  }
};
"""

# Records the loudness of all that is played, block by block without a gap: every sound the page's elements play.
RECORD = """async () => {
  const context = new AudioContext();
  await context.resume();
  const mix = context.createScriptProcessor(4096, 1, 1);
  window.recording = [];
  mix.onaudioprocess = ({ inputBuffer }) => {
    const samples = inputBuffer.getChannelData(0);
    let sum = 0;
    for (const sample of samples) sum += sample * sample;
    recording.push(10 * Math.log10(sum / samples.length + 1e-12));
  };
  for (const { receiver } of majlis.room.peerConnection.getTransceivers()) {
    if (receiver.track.kind === 'audio') context.createMediaStreamSource(new MediaStream([receiver.track])).connect(mix);
  }
  // What has no way out is not run.
  mix.connect(new MediaStreamAudioDestinationNode(context));
}"""


@contextlib.contextmanager
def bots(server, *options):
    """Forty-seven bots who come within two seconds, stay for a while and go."""
    command = [binary(), "load", "--server", server.origin, "--room", "garden", "--people", str(BOTS), "--join-rate", "25",
               "--listen", "0", "--quiet", "--json", *options]
    process = subprocess.Popen(command, env={**os.environ, "MAJLIS_TOKENS_SECRET": SECRET}, stdout=subprocess.PIPE, text=True)
    try:
        yield process
        text, _ = process.communicate(timeout=180)
        assert process.returncode == 0, text
        assert json.loads(text)["joined"] == BOTS, text
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def record(pages, blocks):
    """The loudness of the next so many blocks on each page, in dB of full scale."""
    begun = [page.evaluate("() => recording.length") for page in pages]
    for page, at in zip(pages, begun):
        until(lambda: page.evaluate("() => recording.length") >= at + blocks, blocks * 0.3 + 10, f"{page.user} records")
    return [(page, page.evaluate("([from, count]) => recording.slice(from, from + count)", [at, blocks]))
            for page, at in zip(pages, begun)]


@pytest.mark.slow
def test_three_browsers_among_fifty(server, chromium):
    browser = chromium.launch()
    pages = [chromium.open(browser, server.link(user, "garden", autojoin=1), user,
                           init=WATCH + capture_world.devices(pitch=pitch)).joined()
             for user, pitch in (("anna", 210), ("bela", 120), ("carl", 100))]
    for page in pages:
        until(lambda: page.evaluate("() => majlis.room.participants.size") == 2, 5, f"{page.user} sees the others")
        page.evaluate(RECORD)
    before = [page.evaluate("() => negotiations") for page in pages]
    assert all(one["connections"] == 1 and one["signalingstatechange"] == ["have-local-offer", "stable"] for one in before)
    participants = [sorted(page.evaluate("() => [...majlis.room.participants.keys()]")) for page in pages]

    def all_are_in():
        for page in pages:
            until(lambda: page.evaluate("() => majlis.room.participants.size") == BOTS + 2, 90, f"{page.user} sees all fifty")

    def all_are_gone():
        for page, known in zip(pages, participants):
            until(lambda: sorted(page.evaluate("() => [...majlis.room.participants.keys()]")) == known, 20,
                  f"for {page.user} the room is as it was")

    for page, quiet in record(pages, 12):
        assert max(quiet) < SILENT_DECIBELS, f"{page.user} hears something of nobody: {quiet}"

    with bots(server, "--pattern", "steady", "--talkers", "3", "--others", "silent", "--seconds", "15"):
        all_are_in()
        pages[0].page.wait_for_timeout(1_000)
        for page, heard in record(pages, 24):
            loud = sum(level > LOUD_DECIBELS for level in heard)
            print(f"{page.user}: {loud} of {len(heard)} blocks loud, median {sorted(heard)[12]:.0f} dB")
            # A machine that is busy keeps bots from talking now and then.
            assert loud >= bound(18, 8), f"{page.user} does not hear who talks: {heard}"
    all_are_gone()

    # All fifty with their microphones on, and nobody says a word.
    with bots(server, "--pattern", "turns", "--talkers", "0", "--others", "silent", "--seconds", "15"):
        all_are_in()
        pages[0].page.wait_for_timeout(1_500)
        for page, heard in record(pages, 24):
            print(f"{page.user}: the loudest of silence {max(heard):.0f} dB")
            assert max(heard) < SILENT_DECIBELS, f"{page.user} hears something of silence: {heard}"
    all_are_gone()

    for page, was in zip(pages, before):
        assert page.evaluate("() => negotiations") == was, f"{page.user} negotiated again"
        assert page.evaluate("() => majlis.room.peerConnection.signalingState") == "stable"
        joined = len(page.events("participantJoined")) - (2 - [p.user for p in pages].index(page.user))
        assert joined == 2 * BOTS and len(page.events("participantLeft")) == 2 * BOTS
        assert page.look()["seen"]["sent"].get("offer", 0) == 0
        assert not page.errors, page.errors
