// The fields of a datagram by name, to be laid side by side with another's: RTP headers with their extensions (RFC 3550
// §5.1, RFC 8285) and the packets of an RTCP datagram. Reads no payload beyond its first bytes.
public import MediaCore

/// One named field of a datagram.
public struct PacketField: Hashable, Sendable {
    /// What it is, as "sequence number".
    public var name: String
    /// Its value as text.
    public var value: String
}

/// A field that two datagrams do not agree on.
public struct FieldDifference: Hashable, Sendable {
    /// What it is.
    public var name: String
    /// The value that was recorded; "absent" where the field is not there.
    public var recorded: String
    /// The value of the replay; "absent" where the field is not there.
    public var replayed: String
}

/// Taking datagrams apart.
public enum PacketFields {
    /// The fields of a datagram, in the order in which they lie in it.
    public static func of(_ bytes: [UInt8], _ kind: Egress.Kind) -> [PacketField] {
        switch kind {
        case .rtp: rtp(bytes)
        case .rtcp: rtcp(bytes)
        }
    }

    /// The fields in which two datagrams differ; equal ones are left out.
    public static func differences(recorded: [UInt8], replayed: [UInt8], _ kind: Egress.Kind) -> [FieldDifference] {
        let a = of(recorded, kind)
        let b = of(replayed, kind)
        var result: [FieldDifference] = []
        for field in a {
            let other = b.first { $0.name == field.name }?.value ?? "absent"
            if other != field.value {
                result.append(FieldDifference(name: field.name, recorded: field.value, replayed: other))
            }
        }
        for field in b where !a.contains(where: { $0.name == field.name }) {
            result.append(FieldDifference(name: field.name, recorded: "absent", replayed: field.value))
        }
        if let first = (0..<max(recorded.count, replayed.count)).first(where: {
            $0 >= recorded.count || $0 >= replayed.count || recorded[$0] != replayed[$0]
        }) {
            result.append(
                FieldDifference(
                    name: "bytes from \(first)", recorded: Hexadecimal.text(recorded.dropFirst(first), limit: 16),
                    replayed: Hexadecimal.text(replayed.dropFirst(first), limit: 16)))
        }
        return result
    }

    private static func rtp(_ bytes: [UInt8]) -> [PacketField] {
        var fields = [PacketField(name: "length", value: "\(bytes.count)")]
        guard let header = RTPHeader(bytes.span) else {
            return fields + [PacketField(name: "RTP header", value: "malformed")]
        }
        fields += [
            PacketField(name: "marker", value: header.marker ? "set" : "clear"),
            PacketField(name: "payload type", value: "\(header.payloadType.rawValue)"),
            PacketField(name: "sequence number", value: "\(header.sequenceNumber.rawValue)"),
            PacketField(name: "timestamp", value: "\(header.timestamp.rawValue)"),
            PacketField(name: "SSRC", value: Hexadecimal.text(header.ssrc.rawValue)),
        ]
        for index in 0..<Int(header.contributingSourceCount) {
            guard let source = header.contributingSource(index, in: bytes.span) else { break }
            fields.append(PacketField(name: "CSRC \(index)", value: "\(source)"))
        }
        var cursor = HeaderExtensionCursor(header)
        while let element = cursor.next(bytes.span) {
            let start = Int(element.range.offset)
            let end = start + Int(element.range.length)
            guard start >= 0, end <= bytes.count else { break }
            fields.append(PacketField(name: "extension \(element.id)", value: Hexadecimal.text(bytes[start..<end])))
        }
        let start = Int(header.payloadOffset)
        let end = start + Int(header.payloadLength)
        fields.append(PacketField(name: "payload length", value: "\(header.payloadLength)"))
        if header.paddingLength > 0 {
            fields.append(PacketField(name: "padding length", value: "\(header.paddingLength)"))
        }
        if start <= end, end <= bytes.count {
            fields.append(PacketField(name: "payload head", value: Hexadecimal.text(bytes[start..<end], limit: 12)))
        }
        return fields
    }

    private static func rtcp(_ bytes: [UInt8]) -> [PacketField] {
        var fields = [PacketField(name: "length", value: "\(bytes.count)")]
        guard var reader = CompoundReader(bytes.span) else {
            return fields + [PacketField(name: "RTCP", value: "malformed")]
        }
        var number = 0
        while let packet = reader.next(bytes.span) {
            let end = min(max(packet.end, packet.offset), bytes.count)
            fields.append(PacketField(name: "packet \(number)", value: "\(packet.kind), \(packet.length) bytes"))
            let body = min(packet.offset + RTCPPacket.headerLength, end)
            fields.append(
                PacketField(name: "packet \(number) body", value: Hexadecimal.text(bytes[body..<end], limit: 48)))
            number += 1
        }
        return fields
    }
}
