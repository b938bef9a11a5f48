// How a simulated publisher obeys what the server wants of its simulcast layers: after the time that signalling takes, an
// encoding stops, or begins again with a key frame.

import MediaCore

extension VideoSender {
    /// Stops the encodings that are not wanted and begins those that are, lowest layer first; what is not named stays.
    mutating func want(_ layers: [Bool], at now: Timestamp) {
        for (index, isWanted) in layers.enumerated() where index < encodings.count {
            if isWanted, !encodings[index].isWanted {
                beginAnew(index)
                if shape.repaysKeyFrames { encodings[index].resumedAt = now }
            }
            encodings[index].isWanted = isWanted
        }
    }
}

/// The layers that an event of the core asks of a publisher, or nil when it is about something else.
func layersWanted(in event: RoomEvent) -> (track: TrackID, layers: [Bool])? {
    if case .layersWanted(let track, let layers) = event { (track, layers) } else { nil }
}
