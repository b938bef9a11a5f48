// Which codec a payload type of a peer stands for, as the commands of a room tell it: what a recorder without media asks
// to know how much of a packet to keep.
public import MediaCore

/// The payload types of a room's peers. Confined to the thread of the room.
public final class PayloadTable {
    private static let payloadTypes = 128
    private var rowOf: [PeerID: Int] = [:]
    private var heads: [PayloadHead] = []
    private var free: [Int] = []

    /// No peers.
    public init() {}

    /// Learns from a command that is given to the room. What a payload type stood for before stays known, because packets
    /// of before may still come.
    public func note(_ command: RoomCommand) {
        switch command {
        case .applyPlan(let peer, let plan):
            let row = row(of: peer)
            for track in plan.published {
                for codec in track.codecs {
                    add(PayloadHead(codec.codec, isRetransmission: false), row, codec.payloadType)
                    if let red = codec.redPayloadType { add(.redundantAudio, row, red) }
                    guard let rtx = codec.rtxPayloadType else { continue }
                    add(PayloadHead(codec.codec, isRetransmission: true), row, rtx)
                }
            }
        case .removeParticipant(let peer, _):
            guard let row = rowOf.removeValue(forKey: peer) else { return }
            for index in 0..<Self.payloadTypes { heads[row + index] = [] }
            free.append(row)
        default: break
        }
    }

    private func row(of peer: PeerID) -> Int {
        if let known = rowOf[peer] { return known }
        let row = free.popLast() ?? heads.count
        if row == heads.count { heads += [PayloadHead](repeating: [], count: Self.payloadTypes) }
        rowOf[peer] = row
        return row
    }

    private func add(_ head: PayloadHead, _ row: Int, _ payloadType: PayloadType) {
        heads[row + Int(payloadType.rawValue & 0x7f)].formUnion(head)
    }

    /// What the payload type of a packet may stand for; nothing when its sender or its type is not known.
    func head(of packet: Span<UInt8>, from peer: PeerID) -> PayloadHead {
        guard packet.count > 1, let row = rowOf[peer] else { return [] }
        return heads[row + Int(packet[1] & 0x7f)]
    }
}
