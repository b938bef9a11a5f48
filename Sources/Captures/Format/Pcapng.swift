// The numbers of pcapng (draft-ietf-opsawg-pcapng) and of this project's blocks in it: docs/captures.md says what they
// mean. No reading or writing happens here.
import MediaCore

enum Pcapng {
    // Block types (§4).
    static let sectionHeader: UInt32 = 0x0a0d_0d0a
    static let interfaceDescription: UInt32 = 1
    /// The obsolete one of the format's first tools.
    static let packet: UInt32 = 2
    static let simplePacket: UInt32 = 3
    static let enhancedPacket: UInt32 = 6
    static let custom: UInt32 = 0x0bad
    static let byteOrderMagic: UInt32 = 0x1a2b_3c4d

    // Options (§3.5, §4.2, §4.3).
    static let endOfOptions: UInt16 = 0
    static let interfaceName: UInt16 = 2
    static let timeResolution: UInt16 = 9
    static let timeOffset: UInt16 = 14
    static let applicationName: UInt16 = 4
    static let packetFlags: UInt16 = 2
    static let customBinary: UInt16 = 2_989
    static let inbound: UInt32 = 1
    static let outbound: UInt32 = 2

    /// LINKTYPE_RAW: the packet begins with its IP header.
    static let linkTypeRaw: UInt16 = 101

    /// The longest block that is read: a checkpoint of a big room has room to spare in it.
    static let maximumBlockLength: UInt32 = 64 << 20
    /// Most interfaces of one section. The writer begins a new section when it is reached.
    static let maximumInterfaces = 65_536
}

/// What this project puts into custom blocks and options.
enum Mark {
    /// The private enterprise number of examples (RFC 5612): whoever uses it has to mark what is theirs, and so does
    /// this project by the two bytes that follow.
    static let enterprise: UInt32 = 32_473
    static let bytes: (UInt8, UInt8) = (0x4d, 0x6a)
    /// The version of every body's layout. A reader refuses any other.
    static let version: UInt8 = 1
    /// The kind of the option that tells an interface's peer.
    static let peerOption: UInt8 = 0x70

    /// The longest body of an event that is not a checkpoint.
    static let maximumBody = 1 << 20
    /// The longest checkpoint: a block has room for it.
    static let maximumCheckpoint = Int(Pcapng.maximumBlockLength) - 64

    enum Kind: UInt8 {
        case opened = 1
        case command = 2
        case advanced = 3
        case flushed = 4
        case digest = 5
        case decision = 6
        case checkpoint = 7
        case comment = 8
        case gap = 9
        /// A packet that is no synthetic datagram, because its lengths are none of UDP's.
        case oddPacket = 10
    }
}

/// The synthetic datagrams: IPv4 and UDP headers around what a room received or sent.
enum SyntheticDatagram {
    /// IPv4 without options and UDP.
    static let headerLength = 28
    /// What UDP over IPv4 can carry.
    static let maximumPayload = 65_507
    /// The server's address: 192.0.2.1 (TEST-NET-1, RFC 5737).
    static let server: UInt32 = 0xc000_0201
    /// The port of RTP at both ends, and the next is RTCP's (RFC 3551 §8): what Wireshark takes for them by itself.
    static let rtpPort: UInt16 = 5_004
    static let rtcpPort: UInt16 = 5_005

    /// A peer's address: 10.0.0.0/8 with the low 24 bits of its number.
    static func address(of peer: PeerID) -> UInt32 { 0x0a00_0000 | (peer.rawValue & 0x00ff_ffff) }

    static func port(of kind: Egress.Kind) -> UInt16 { kind == .rtp ? rtpPort : rtcpPort }

    /// The moment that timestamp zero is, in nanoseconds since 1970, wrapping. Zero stays zero: there is no wall clock.
    static func unixNanoseconds(ntp: UInt64) -> UInt64 {
        guard ntp != 0 else { return 0 }
        let seconds = ntp >> 32
        // The era of NTP ends in 2036 (RFC 4330 §3): what would be before 1970 is in the next.
        let since1970 = seconds >= 2_208_988_800 ? seconds - 2_208_988_800 : seconds + (1 << 32) - 2_208_988_800
        return since1970 &* 1_000_000_000 &+ ((ntp & 0xffff_ffff) &* 1_000_000_000) >> 32
    }
}
