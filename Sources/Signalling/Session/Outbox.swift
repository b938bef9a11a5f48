// The server's messages of one session that the client has not acknowledged, and the numbers they carry. Knows no
// socket and no meaning.

/// What was sent and may have to be sent again.
struct Outbox: Hashable, Sendable {
    /// One kept message.
    struct Kept: Hashable, Sendable {
        var seq: UInt64
        var text: String
        /// The command it answers; nil: an event.
        var answers: CommandID?
    }

    /// In order; their `seq` rises by one from each to the next.
    private(set) var kept: [Kept] = []
    /// The highest `seq` given out.
    private(set) var lastSeq: UInt64 = 0
    private(set) var answerCount = 0
    private(set) var answerBytes = 0
    private(set) var eventCount = 0
    private(set) var eventBytes = 0

    /// The highest `seq` that was acknowledged and forgotten.
    var forgottenSeq: UInt64 { lastSeq - UInt64(kept.count) }

    /// Numbers a message, keeps it, and gives its text.
    mutating func append(_ message: ServerMessage, re: CommandID?, isAnswer: Bool) -> String {
        lastSeq += 1
        let text = ServerFrame(seq: lastSeq, re: re, message).text
        kept.append(Kept(seq: lastSeq, text: text, answers: isAnswer ? re : nil))
        if isAnswer {
            answerCount += 1
            answerBytes += text.utf8.count
        } else {
            eventCount += 1
            eventBytes += text.utf8.count
        }
        return text
    }

    /// Forgets what has a `seq` of at most this.
    mutating func acknowledge(_ seq: UInt64) {
        guard seq > forgottenSeq else { return }
        let count = Int(min(seq - forgottenSeq, UInt64(kept.count)))
        for message in kept[..<count] {
            if message.answers == nil {
                eventCount -= 1
                eventBytes -= message.text.utf8.count
            } else {
                answerCount -= 1
                answerBytes -= message.text.utf8.count
            }
        }
        kept.removeFirst(count)
    }

    /// The text of the kept answer to a command.
    func answer(to id: CommandID) -> String? { kept.first { $0.answers == id }?.text }

    /// Forgets everything.
    mutating func removeAll() {
        acknowledge(lastSeq)
    }
}
