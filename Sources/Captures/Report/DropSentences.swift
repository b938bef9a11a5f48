// Why a packet was dropped, in a few words for the reader of a report.
import MediaCore

extension DropReason {
    /// What it means, as a phrase.
    var sentence: String {
        switch self {
        case .unknownPeer: "from a peer that is not in the room"
        case .peerNotConnected: "from a peer whose transport is not connected"
        case .malformedRTP: "not well-formed RTP"
        case .malformedRTCP: "not well-formed RTCP"
        case .oversized: "payload longer than is kept"
        case .unknownSSRC: "nothing tells which track it belongs to"
        case .tooManySSRCs: "more SSRCs than one peer may have"
        case .unknownMid: "its mid names no published track"
        case .unknownRid: "its rid names no encoding"
        case .unknownPayloadType: "its payload type is none of the track’s"
        case .bandwidthProbe: "a bandwidth probe: counted for feedback, then done with"
        case .malformedRetransmission: "a retransmission without its original number"
        case .paddingOnly: "padding only: counted, its number closed up"
        case .duplicate: "received before"
        case .tooOld: "too old to tell whether it is a duplicate"
        case .sequenceJump: "the first behind a jump of sequence numbers"
        case .trackMuted: "its track is muted"
        case .unusedRTCP: "RTCP of a type that is not used here: harmless"
        case .feedbackForUnknownSSRC: "feedback about what the peer is not sent"
        case .egressFull: "the turn’s output was full"
        case .awaitingKeyFrame: "the slot waits for a key frame"
        case .beforeSwitch: "older than the slot’s switch to its source"
        case .unsupportedCodec: "the slot cannot carry its codec"
        case .retransmissionUnknown: "asked for again: never sent, or too long ago"
        case .retransmissionOverwritten: "asked for again: no longer kept"
        case .retransmissionTooSoon: "asked for again: on its way already"
        case .retransmissionLimit: "asked for again: sent often enough"
        case .retransmissionBudget: "asked for again: too much for the peer at once"
        case .pacerFull: "more waits for the receiver’s pace than may wait"
        case .pacerStale: "of no use any more when its turn came"
        case .malformedRedundancy: "a redundant payload whose blocks are not what was negotiated"
        case .layerNotForwarded: "of a layer above those that the slot forwards"
        case .silence: "silence, or somebody who is not among the loudest"
        }
    }
}
