// The files of the web client: embedded in the program, or below a folder for development. It knows no HTTP beyond the
// type and the tag of a file.
import CWebClient
import CZlib
import Glibc

/// A file to serve.
struct WebFile {
    let contentType: String
    let tag: String
    let body: ResponseBody
    let count: Int
    /// The same in the gzip format, where that is shorter.
    var compressed: [UInt8]?
}

/// Finds files by the path of a request.
struct WebFiles {
    /// The largest file served from a web root, in bytes.
    static let maximumFileBytes = 16_777_216

    private var embedded: [String: WebFile] = [:]
    private let root: String?

    /// Takes the embedded files, or the folder in place of them.
    init(root: String?) throws(GatewayError) {
        guard let root else {
            self.root = nil
            for index in 0..<majlis_web_file_count {
                let file = unsafe WebFiles.entry(index)
                let bytes = unsafe UnsafeBufferPointer(start: file.bytes, count: file.count)
                embedded[unsafe String(cString: file.path)] = unsafe WebFile(
                    contentType: String(cString: file.content_type), tag: WebFiles.tag(of: bytes.span),
                    body: .embedded(index), count: file.count, compressed: WebFiles.compressed(bytes))
            }
            return
        }
        var resolved = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        guard unsafe realpath(root, &resolved) != nil, unsafe access(root, R_OK | X_OK) == 0 else {
            throw .unreadableWebRoot(root)
        }
        self.root = String(decoding: resolved.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The file for a decoded path that begins with a slash; "/" is "/index.html". Nil: there is none, or the path is
    /// not one that may be asked for.
    func find(_ path: String) -> WebFile? {
        let path = path.hasSuffix("/") ? path + "index.html" : path
        guard let root else { return embedded[path] }
        guard WebFiles.isPlain(path) else { return nil }
        return WebFiles.read(root: root, path: path)
    }

    /// One of the embedded files.
    static func entry(_ index: Int) -> majlis_web_file {
        unsafe majlis_web_file_at(index)
    }

    /// The bytes in the gzip format (RFC 1952); nil where that saves less than an eighth.
    static func compressed(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        let capacity = majlis_gzip_bound(bytes.count)
        let compressed = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            count = unsafe majlis_gzip(bytes.baseAddress, bytes.count, buffer.baseAddress, capacity)
        }
        return compressed.isEmpty || compressed.count > bytes.count - bytes.count / 8 ? nil : compressed
    }

    /// Whether an Accept-Encoding header (RFC 9110 section 12.5.3) takes gzip.
    static func takesGzip(_ header: String) -> Bool {
        var isTaken: Bool?
        var isRestTaken = false
        for element in header.lowercased().split(separator: ",") {
            let parts = element.split(separator: ";").map { trimmed($0) }
            guard let coding = parts.first else { continue }
            // A weight of 0, however many digits it has, is a refusal.
            let isRefused = parts.dropFirst().contains { parameter in
                parameter.hasPrefix("q=") && parameter.dropFirst(2).allSatisfy { $0 == "0" || $0 == "." }
            }
            if coding == "gzip" || coding == "x-gzip" { isTaken = !isRefused }
            if coding == "*" { isRestTaken = !isRefused }
        }
        return isTaken ?? isRestTaken
    }

    /// Whether a path is made of plain names: none is empty, begins with a dot (so neither "..", nor anything hidden),
    /// or has a backslash or a control character in it.
    static func isPlain(_ path: String) -> Bool {
        guard path.utf8.first == UInt8(ascii: "/"), path.utf8.count <= 1_024 else { return false }
        for name in path.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            guard let first = name.utf8.first, first != UInt8(ascii: ".") else { return false }
            if name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "\\") }) { return false }
        }
        return true
    }

    private static func read(root: String, path: String) -> WebFile? {
        // The real path must lie below the root, so that a link cannot lead out of it.
        var resolved = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        guard unsafe realpath(root + path, &resolved) != nil else { return nil }
        let real = String(decoding: resolved.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard real.hasPrefix(root == "/" ? root : root + "/") else { return nil }
        let descriptor = unsafe open(real, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_size <= maximumFileBytes
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var count = 0
        while count < bytes.count {
            let n = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress?.advanced(by: count), buffer.count - count)
            }
            guard n > 0 else { return nil }
            count += n
        }
        return WebFile(
            contentType: contentType(of: real), tag: tag(of: bytes.span), body: .bytes(bytes), count: bytes.count)
    }

    /// The type by the file's ending.
    static func contentType(of path: String) -> String {
        guard let dot = path.lastIndex(of: ".") else { return "application/octet-stream" }
        switch path[path.index(after: dot)...] {
        case "html": return "text/html; charset=utf-8"
        case "js", "mjs": return "text/javascript; charset=utf-8"
        case "css": return "text/css; charset=utf-8"
        case "json", "map": return "application/json"
        case "svg": return "image/svg+xml"
        case "png": return "image/png"
        case "ico": return "image/x-icon"
        case "wasm": return "application/wasm"
        case "webmanifest": return "application/manifest+json"
        case "woff2": return "font/woff2"
        case "mp3": return "audio/mpeg"
        case "ogg", "opus": return "audio/ogg"
        case "txt", "md": return "text/plain; charset=utf-8"
        default: return "application/octet-stream"
        }
    }

    /// The entity tag: FNV-1a of the bytes, and their number. It tells versions of a file apart; it is no protection.
    static func tag(of bytes: Span<UInt8>) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in bytes.indices { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01B3 }
        return "\"\(String(hash, radix: 16))-\(String(bytes.count, radix: 16))\""
    }
}
