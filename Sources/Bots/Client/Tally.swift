// What all bots of a run have counted. One loop's own; others get copies.

/// The counts.
package struct Tally: Sendable {
    /// Bots whose join was begun, that are connected, and that failed.
    package var begun = 0
    package var connected = 0
    package var failed = 0
    /// Why, each reason once, with how often.
    package var failures: [String: Int] = [:]
    /// Milliseconds from opening the WebSocket until media could flow, and until the first packet came.
    package var connectTimes: [Double] = []
    package var mediaTimes: [Double] = []

    /// RTP packets sent, and those that the transport did not take.
    package var sent = 0
    package var refused = 0
    /// RTP packets received, their bytes with the SRTP tag, and those missing by their numbers (filled in by a snapshot).
    package var received = 0
    package var receivedBytes = 0
    package var lost = 0
    /// From sending a packet to the kernel's taking it in at the receiver.
    package var latency = LatencyHistogram()

    /// Sound that was decoded, in packets of 20 ms: all, those with a voice in them that is the sender's, those that had to
    /// be made up, and those with energy although their sender was quiet.
    package var decoded = 0
    package var voiced = 0
    package var concealed = 0
    package var noisy = 0
    /// Packets that no decoder could read.
    package var undecodable = 0
    /// Frames of video decoded, and those that could not be.
    package var frames = 0
    package var brokenFrames = 0
    /// Key frames that bots asked for.
    package var keyFrameRequests = 0

    package init() {}

    /// What was counted since another look; times and reasons are those of all.
    package func since(_ before: Tally) -> Tally {
        var new = self
        new.sent -= before.sent
        new.refused -= before.refused
        new.received -= before.received
        new.receivedBytes -= before.receivedBytes
        new.lost -= before.lost
        new.decoded -= before.decoded
        new.voiced -= before.voiced
        new.concealed -= before.concealed
        new.noisy -= before.noisy
        new.undecodable -= before.undecodable
        new.frames -= before.frames
        new.brokenFrames -= before.brokenFrames
        new.keyFrameRequests -= before.keyFrameRequests
        return new
    }
}
