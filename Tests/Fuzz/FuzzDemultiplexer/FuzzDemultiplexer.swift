// libFuzzer's entry into the demultiplexer: a datagram goes to the reader that its first bytes name. Reads no DTLS and
// no STUN, which are other libraries'.
import MediaCore

/// Tries one input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDemultiplexer(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
    switch Demultiplexer.kind(of: bytes.span) {
    case .rtp:
        precondition(bytes[0] >> 6 == 2, "RTP has version 2")
        guard let header = RTPHeader(bytes.span) else { return 0 }
        let whole = Int(header.payloadOffset) + Int(header.payloadLength) + Int(header.paddingLength)
        precondition(whole == bytes.count, "an RTP header's parts make up the datagram")
    case .rtcp:
        precondition((192...223).contains(bytes[1]), "RTCP has its packet types")
        guard var reader = CompoundReader(bytes.span) else { return 0 }
        var covered = 0
        while let packet = reader.next(bytes.span) {
            precondition(packet.offset >= covered && packet.end <= bytes.count, "packets follow each other")
            covered = packet.end
        }
        precondition(covered > 0, "a compound has a packet")
    case .stun: precondition(bytes[0] < 4, "STUN begins below 4")
    case .zrtp, .dtls, .turnChannel: precondition((16...79).contains(bytes[0]), "these begin at 16 to 79")
    case .unknown: break
    }
    return 0
}
