// A recorded file in Wireshark: tshark finds the RTP packets that the core was given and gave out, per direction, peer and SSRC.

import Captures
import MediaCore
import SimulatedNetwork
import TestSupport
import Testing

@Suite("Recorded files in Wireshark")
struct WiresharkCountTests {
    @Test(
        "tshark counts the same RTP packets per direction, peer and SSRC, and the same RTCP",
        .enabled(if: Tshark.path != nil, "tshark is not installed"), arguments: [true, false])
    func counts(cutsPayloads: Bool) throws {
        let recorded = ReplayRecorder.record(ReplayScenarios.lossyUplink, [.datagrams, .digests]).events
        var written = recorded
        if cutsPayloads {
            var options = CaptureRewrite.Options()
            options.cutsPayloads = true
            var rewrite = CaptureRewrite(options)
            written = []
            for event in recorded { try rewrite.take(event) { written.append($0) } }
            try rewrite.finish { written.append($0) }
        }
        var expected: [String: Int] = [:]
        var control = 0
        for event in written {
            switch event {
            case .rtp(let peer, let bytes, _), .cut(let peer, .rtp, let bytes, _, _):
                expected["in peer \(peer.rawValue) \(Self.source(bytes))", default: 0] += 1
            case .sent(let peer, .rtp, let bytes):
                expected["out peer \(peer.rawValue) \(Self.source(bytes))", default: 0] += 1
            case .rtcp, .sent(_, .rtcp, _): control += 1
            default: break
            }
        }
        let folder = ScratchFolder()
        let path = folder.file("recorded.pcapng")
        let file = try CaptureFile(path: path)
        var writer = CaptureWriter()
        for event in written {
            writer.append(event)
            // The ring is smaller than the file: the disk is waited for.
            let deadline = ContinuousClock.now + .seconds(30)
            while !(writer.withBytes { file.append($0) }), ContinuousClock.now < deadline { Pause.milliseconds(1) }
            writer.removeAll()
        }
        file.close()
        #expect(file.failure == nil)
        let decode = "-n -r \(path) -d udp.port==5004,rtp -d udp.port==5005,rtcp -T fields"
        let lines = try #require(
            Tshark.lines(decode + " -Y rtp -e frame.packet_flags_direction -e frame.interface_name -e rtp.ssrc"))
        var found: [String: Int] = [:]
        for line in lines where line.count == 3 {
            let direction = line[0] == "0x00000001" ? "in" : "out"
            found["\(direction) \(line[1]) \(line[2])", default: 0] += 1
        }
        #expect(found == expected)
        #expect(found.count >= (cutsPayloads ? 3 : 8))
        let reports = try #require(Tshark.lines(decode + " -Y rtcp -e frame.number"))
        #expect(reports.count == control)
    }

    private static func source(_ bytes: [UInt8]) -> String {
        let digits = String(bytes.span.uint32(at: 8), radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }
}
