// The bodies of this project's blocks: every event that is not a datagram, and the datagrams that UDP cannot carry.
import MediaCore

extension FieldWriter {
    /// Writes the body and tells its kind.
    mutating func body(of event: CaptureEvent) -> Mark.Kind {
        switch event {
        case .opened(let configuration, let seed, let build, let at):
            moment(at)
            fixed(seed)
            data(build.utf8)
            self.configuration(configuration)
            return .opened
        case .command(let command, let at):
            moment(at)
            self.command(command)
            return .command
        case .advanced(let at):
            moment(at)
            return .advanced
        case .flushed: return .flushed
        case .digest(let digest):
            self.digest(digest)
            return .digest
        case .decision(let decision):
            self.decision(decision)
            return .decision
        case .checkpoint(let state):
            data(state)
            return .checkpoint
        case .comment(let text):
            data(text.utf8)
            return .comment
        case .gap(let events):
            number(events)
            return .gap
        case .rtp, .rtcp, .cut, .sent, .sentCut:
            oddPacket(event)
            return .oddPacket
        }
    }

    private mutating func oddPacket(_ event: CaptureEvent) {
        switch event {
        case .rtp(let peer, let bytes, let at): received(0, peer, bytes, at)
        case .rtcp(let peer, let bytes, let at): received(1, peer, bytes, at)
        case .cut(let peer, let kind, let bytes, let originalLength, let at):
            received(2 + kind.rawValue, peer, bytes, at)
            signed(Int64(originalLength))
        case .sent(let peer, let kind, let bytes):
            byte(4 + kind.rawValue)
            self.peer(peer)
            data(bytes)
        case .sentCut(let peer, let kind, let bytes, let originalLength):
            byte(6 + kind.rawValue)
            self.peer(peer)
            data(bytes)
            signed(Int64(originalLength))
        default: preconditionFailure("only packets are written here")
        }
    }

    private mutating func received(_ form: UInt8, _ peer: PeerID, _ bytes: [UInt8], _ at: Timestamp) {
        byte(form)
        self.peer(peer)
        data(bytes)
        moment(at)
    }
}

extension FieldReader {
    /// The event whose body the bytes are, and nothing behind it; nil when they are no such body.
    static func event(_ kind: Mark.Kind, _ bytes: ArraySlice<UInt8>) -> CaptureEvent? {
        var fields = FieldReader(bytes)
        guard let event = fields.event(kind) else { return nil }
        // Up to three bytes fill the block.
        guard fields.remaining < 4 else { return nil }
        while let filler = fields.byte() { if filler != 0 { return nil } }
        return event
    }

    private mutating func event(_ kind: Mark.Kind) -> CaptureEvent? {
        switch kind {
        case .opened:
            guard let at = moment(), let seed = fixed(), let build = data(), let configuration = configuration() else {
                return nil
            }
            return .opened(configuration, seed: seed, build: String(decoding: build, as: UTF8.self), at: at)
        case .command:
            guard let at = moment(), let command = command() else { return nil }
            return .command(command, at: at)
        case .advanced: return moment().map { .advanced(at: $0) }
        case .flushed: return .flushed
        case .digest: return digest().map { .digest($0) }
        case .decision: return decision().map { .decision($0) }
        case .checkpoint: return data().map { .checkpoint(Array($0)) }
        case .comment: return data().map { .comment(String(decoding: $0, as: UTF8.self)) }
        case .gap: return number().map { .gap(events: $0) }
        case .oddPacket: return oddPacket()
        }
    }

    private mutating func oddPacket() -> CaptureEvent? {
        guard let form = byte(), let peer = peer(), let bytes = data().map({ Array($0) }) else { return nil }
        let packet: Egress.Kind = form & 1 == 0 ? .rtp : .rtcp
        switch form {
        case 0: return moment().map { .rtp(peer, bytes, at: $0) }
        case 1: return moment().map { .rtcp(peer, bytes, at: $0) }
        case 2, 3:
            guard let at = moment(), let length = integer() else { return nil }
            return .cut(peer, packet, bytes, originalLength: length, at: at)
        case 4, 5: return .sent(peer, packet, bytes)
        case 6, 7: return integer().map { .sentCut(peer, packet, bytes, originalLength: $0) }
        default: return nil
        }
    }
}
