// A server that answers as the push services do (Tests/PushTests/provider.py), with keys and certificates made for the run.
import FoundationEssentials
import Glibc
import TestSupport

/// Keys and certificates, made once by OpenSSL's command and gone with the process's folder.
package enum PushKeys {
    package static let folder: String = {
        var template = Array("/tmp/majlis-push-XXXXXX".utf8CString)
        let path = unsafe template.withUnsafeMutableBufferPointer { bytes in
            unsafe bytes.baseAddress.flatMap { unsafe mkdtemp($0) }.map { unsafe String(cString: $0) } ?? ""
        }
        atexit {
            for name in FileBytes.list(PushKeys.folder) { unsafe unlink(PushKeys.folder + "/" + name) }
            unsafe rmdir(PushKeys.folder)
        }
        return path
    }()

    package static let apns = pem(
        "apns.pem", ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder + "/apns.pem"])
    package static let apnsPublic = pem(
        "apns.pub", ["pkey", "-in", folder + "/apns.pem", "-pubout", "-out", folder + "/apns.pub"])
    package static let fcm = pem("fcm.pem", ["genrsa", "-out", folder + "/fcm.pem", "2048"])
    package static let fcmPublic = pem(
        "fcm.pub", ["pkey", "-in", folder + "/fcm.pem", "-pubout", "-out", folder + "/fcm.pub"])

    /// The service's own certificate.
    package static let certificate = certificate("server", "IP:127.0.0.1")

    private static func pem(_ name: String, _ arguments: [String]) -> String {
        _ = ChildProcess("/usr/bin/openssl", arguments)?.exitCode()
        return FileBytes.read(folder + "/" + name).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// A certificate that signed itself, and its key: the paths.
    package static func certificate(_ name: String, _ subject: String) -> (certificate: String, key: String) {
        let paths = (certificate: "\(folder)/\(name).crt", key: "\(folder)/\(name).key")
        _ = pem(
            "\(name).crt",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=push test", "-addext", "subjectAltName=\(subject)", "-keyout", paths.key, "-out",
                paths.certificate,
            ])
        return paths
    }
}

/// The server.
package final class PushService {
    package struct Failure: Error { package let description: String }

    /// What the server was asked.
    package struct Request: Decodable {
        package var connection: Int
        package var path: String
        package var headers: [String: String]
        package var body: String
        package var step: String
    }

    private let process: ChildProcess
    package let endpoint: String

    package init(_ pair: (certificate: String, key: String) = PushKeys.certificate) throws(Failure) {
        let root = ExternalCaptures.packageRoot
        let python = root + "/.build/venv/bin/python"
        guard unsafe access(python, X_OK) == 0 else {
            throw Failure(description: "the Python environment is missing: .ci/install test makes it")
        }
        let script = root + "/Tests/PushTests/provider.py"
        guard let process = ChildProcess(python, [script, pair.certificate, pair.key]),
            process.prints("port ", seconds: 30), process.prints("\n")
        else { throw Failure(description: "the push service does not start") }
        self.process = process
        let port = process.text.split(separator: "\n").first?.dropFirst("port ".count) ?? ""
        endpoint = "https://127.0.0.1:\(port)"
    }

    /// Every request so far.
    package var requests: [Request] {
        process.read()
        return process.text.split(separator: "\n").compactMap {
            try? JSONDecoder().decode(Request.self, from: Data($0.utf8))
        }
    }

    package func requests(to path: String) -> [Request] { requests.filter { $0.path.hasPrefix(path) } }

    /// Waits until the server was asked so often.
    package func isAsked(_ count: Int) -> Bool { Deadline.wait(seconds: 15) { requests.count >= count } }

    /// The token of an Apple device that is answered by these steps.
    package static func appleToken(_ steps: String) -> String {
        let digits = Array("0123456789abcdef")
        return steps.utf8.reduce(into: "") { text, byte in
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
    }
}
