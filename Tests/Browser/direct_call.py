"""A call of two Chromiums without a server between: libwebrtc's own sending, to hold against ours. The descriptions go through the test
program, complete with their candidates."""

import link_world
from link_world import MAXIMUM

ORIGIN = "https://direct.test/"
PAGE = "<!doctype html><title>A direct call</title><body style='margin:0'><video id=view autoplay style='width:960px'></video>"

OFFER = """async (maxBitrate) => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  const pc = new RTCPeerConnection();
  window.direct = pc;
  pc.addTransceiver(stream.getAudioTracks()[0], { direction: 'sendonly', streams: [stream] });
  const { sender } = pc.addTransceiver(stream.getVideoTracks()[0], {
    direction: 'sendonly', streams: [stream], sendEncodings: [{ maxBitrate }],
  });
  await pc.setLocalDescription();
  await new Promise((resolve) => {
    if (pc.iceGatheringState === 'complete') resolve();
    pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && resolve();
  });
  return pc.localDescription.sdp;
}"""

ANSWER = """async (sdp) => {
  const pc = new RTCPeerConnection();
  window.direct = pc;
  pc.ontrack = ({ track }) => {
    view.srcObject ??= new MediaStream();
    view.srcObject.addTrack(track);
  };
  await pc.setRemoteDescription({ type: 'offer', sdp });
  await pc.setLocalDescription();
  await new Promise((resolve) => {
    if (pc.iceGatheringState === 'complete') resolve();
    pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && resolve();
  });
  return pc.localDescription.sdp;
}"""


def open_page(chromium, browser, user, size=None):
    """A page that calls nobody as yet; with a picture of this size and a voice, or nothing."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(link_world.source(size))
    page = link_world.rig.Page(context.new_page(), user)
    page.page.route(ORIGIN, lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    page.page.goto(ORIGIN)
    return page


def connect(sender, receiver):
    """The sender calls the receiver; returns when a picture is there."""
    offer = sender.evaluate(OFFER, MAXIMUM)
    answer = receiver.evaluate(ANSWER, offer)
    sender.evaluate("(sdp) => direct.setRemoteDescription({ type: 'answer', sdp })", answer)
    link_world.until(lambda: receiver.is_true("view.videoWidth > 0"), 30, "the direct call has a picture")
