// Wireshark's own reading of a capture: tshark finds every packet, its stream, its moment and its direction.
import Captures
import Glibc
import MediaCore
import TestSupport
import Testing

/// tshark, where it is installed.
enum Tshark {
    static let path: String? = {
        let places: [String] = ["/usr/bin/tshark", "/usr/local/bin/tshark"]
        return places.first { access($0, X_OK) == 0 }
    }()

    /// The lines that it prints; nil when it cannot be run or fails.
    static func lines(_ arguments: String) -> [[String]]? {
        guard let path, let pipe = popen("\(path) \(arguments) 2>/dev/null", "r") else { return nil }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, pipe), count > 0 { bytes += chunk[..<count] }
        guard pclose(pipe) == 0 else { return nil }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map {
            $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
    }
}

@Suite struct FormatWiresharkTests {
    private func rtp(_ sequence: UInt16, _ ssrc: UInt32, payload: Int) -> [UInt8] {
        let word = { (n: UInt32) in (0..<4).map { UInt8(truncatingIfNeeded: n >> UInt32(24 - 8 * $0)) } }
        return [0x80, 96] + word(UInt32(sequence) << 16)[..<2] + word(UInt32(sequence) &* 960) + word(ssrc)
            + [UInt8](repeating: 0x55, count: payload)
    }
    private let report: [UInt8] = [0x80, 201, 0, 1, 0x11, 0x22, 0x33, 0x44]

    @Test(
        "tshark counts the same RTP and RTCP packets, with their SSRCs, sequence numbers, moments and directions",
        .enabled(if: Tshark.path != nil, "tshark is not installed"))
    func dissected() throws {
        let folder = ScratchFolder()
        var configuration = RoomConfiguration()
        // 1,700,000,000.5 s after 1970.
        configuration.ntpAtOrigin = (1_700_000_000 + 2_208_988_800) << 32 | 0x8000_0000
        var writer = CaptureWriter()
        writer.append(.opened(configuration, seed: 1, build: "test", at: Timestamp(nanoseconds: 0)))
        for index in 0..<50 {
            let at = Timestamp(nanoseconds: Int64(index) * 20_000_001)
            let packet = rtp(65_530 &+ UInt16(index), 0x1122_3344, payload: 100)
            writer.append(.rtp(PeerID(7), packet, at: at))
            writer.append(.advanced(at: at))
            writer.append(.sent(PeerID(9), .rtp, rtp(UInt16(index), 0x5566_7788, payload: 100)))
            writer.append(.flushed)
        }
        writer.append(
            .cut(PeerID(7), .rtp, rtp(1, 0x99, payload: 4), originalLength: 900, at: Timestamp(nanoseconds: 0)))
        writer.append(.rtcp(PeerID(9), report, at: Timestamp(nanoseconds: 1)))
        let path = folder.file("w.pcapng")
        try write(writer.take(), to: path)
        let decode = "-n -r \(path) -d udp.port==5004,rtp -d udp.port==5005,rtcp -T fields"
        let media = try #require(
            Tshark.lines(
                decode + " -Y rtp -e rtp.ssrc -e rtp.seq -e frame.interface_name -e frame.time_epoch"
                    + " -e frame.packet_flags_direction -e frame.len -e frame.cap_len -e ip.checksum.status"
                    + " -o ip.check_checksum:TRUE"))
        let received = media.filter { $0.first == "0x11223344" }
        #expect(received.count == 50)
        #expect(received.map { $0[1] } == (0..<50).map { String(65_530 &+ UInt16($0)) })
        #expect(received.allSatisfy { $0[2] == "peer 7" && $0[4] == "0x00000001" && $0[7] == "1" })
        #expect(received.first?[3] == "1700000000.500000000")
        #expect(received.last?[3] == "1700000001.480000049")
        let sent = media.filter { $0.first == "0x55667788" }
        #expect(sent.count == 50)
        #expect(sent.allSatisfy { $0[2] == "peer 9" && $0[4] == "0x00000002" })
        let cut = media.filter { $0.first == "0x00000099" }
        #expect(cut.map { [$0[5], $0[6]] } == [["928", "44"]])
        let control = try #require(Tshark.lines(decode + " -Y rtcp -e rtcp.pt -e rtcp.senderssrc"))
        #expect(control == [["201", "0x11223344"]])
        // Nothing in the file is beyond Wireshark's understanding.
        #expect(Tshark.lines("-n -r \(path) -Y _ws.malformed") == [])
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let file = try CaptureFile(path: path)
        #expect(file.append(bytes: bytes))
        file.close()
        #expect(file.failure == nil)
    }
}
