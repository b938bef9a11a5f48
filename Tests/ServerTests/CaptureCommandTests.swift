// `majlis capture convert` as a user runs it.
import Bots
import Captures
import Glibc
import TestSupport
import Testing
import WholeServers

@Suite("The command `majlis capture`")
struct CaptureCommandTests {
    private func run(_ arguments: [String]) throws -> (code: Int32?, text: String) {
        let child = try #require(ChildProcess(ChildProcess.command, ["capture"] + arguments, environment: []))
        let code = child.exitCode()
        return (code, child.text)
    }

    /// A path in the folder for temporary files that nothing is at.
    private func fresh(_ name: String) -> String {
        let path = "/tmp/majlis-\(getpid())-\(name).pcapng"
        unlink(path)
        return path
    }

    private func packets(_ path: String) throws -> Int {
        var reader = try CaptureReader(try #require(FileBytes.read(path)))
        var count = 0
        while let event = try reader.next() { if case .rtp = event { count += 1 } }
        #expect(!reader.isTruncated)
        return count
    }

    @Test(
        "an encrypted file with its key: all 972 packets; with another key: none",
        .enabled(if: ExternalCaptures.arePresent, "the external captures are not there"))
    func decrypts() throws {
        let source = ExternalCaptures.folder + "/membrane/srtp.pcap"
        for (digits, expected) in [("61", 972), ("62", 0)] {
            let path = fresh("key-\(digits)")
            defer { unlink(path) }
            let key = String(repeating: digits, count: 30)
            let (code, text) = try run(["convert", source, path, "--srtp-key", key, "--codec", "96=h264"])
            #expect(code == 0, "\(text)")
            #expect(text.contains("972 frames, 972 UDP datagrams, \(expected) packets taken"), "\(text)")
            #expect(try packets(path) == expected)
            #expect(!text.contains(key))
            // The capture is there now: it is not written over.
            let again = try run(["convert", source, path])
            #expect(again.code == 1 && again.text.contains("File exists"), "\(again.text)")
        }
    }

    @Test("what cannot be used is one line that says why")
    func refuses() throws {
        let path = fresh("none")
        for (arguments, code, sentence) in [
            (["convert"], Int32(2), "usage: majlis capture convert"),
            (["record", "a", "b"], 2, "usage: majlis capture convert"),
            (["convert", "/nowhere", path], 1, "cannot read /nowhere"),
            (["convert", "/dev/null", path], 1, "neither pcap nor pcapng"),
            (["convert", "/dev/null", path, "--codec", "96=mp3"], 1, "there is no codec mp3"),
            (["convert", "/dev/null", path, "--codec", "200=vp8"], 1, "a payload type is 0 to 127"),
            (["convert", "/dev/null", path, "--srtp-key", "61"], 1, "60 hexadecimal digits"),
            (["convert", "/dev/null", path, "--srtp-profile", "x"], 1, "there is no SRTP profile x"),
            (["convert", "/dev/null", path, "--extension", "0=mid"], 1, "1 to 255"),
            (["convert", "/dev/null", path, "--colour", "red"], 1, "unknown option --colour"),
        ] {
            let result = try run(arguments)
            #expect(result.code == code, "\(result.text)")
            #expect(result.text.contains(sentence), "\(result.text)")
            #expect(access(path, F_OK) != 0, "no file is left behind")
        }
    }
}
