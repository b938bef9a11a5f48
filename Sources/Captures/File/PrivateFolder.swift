// Folders that nobody else may read or write, and whole files in them. Waits for the disk.
import Glibc

/// Why a folder is not used: one sentence.
public struct FolderError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sentence.
    public let description: String
}

/// Folders of this process's user alone.
public enum PrivateFolder {
    /// Makes a folder with mode 0700, and those above it, or sees that it is this user's own and nobody else's. A symbolic
    /// link in its place is refused: in a folder of all users anybody could have made it.
    public static func prepare(_ path: String) throws(FolderError) {
        var index = path.startIndex
        while let slash = path[index...].dropFirst().firstIndex(of: "/") {
            // What cannot be made is found out at the end.
            _ = unsafe mkdir(String(path[..<slash]), 0o700)
            index = slash
        }
        if unsafe mkdir(path, 0o700) != 0, errno != EEXIST {
            throw FolderError(description: "cannot make \(path): \(unsafe String(cString: strerror(errno)))")
        }
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else {
            throw FolderError(description: "cannot look at \(path): \(unsafe String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw FolderError(description: "\(path) is no folder") }
        guard status.st_uid == geteuid(), status.st_mode & 0o077 == 0 else {
            throw FolderError(
                description: "\(path) is open to others: it must belong to this user and have mode 0700")
        }
        guard unsafe access(path, W_OK | X_OK) == 0 else {
            throw FolderError(description: "cannot write into \(path): \(unsafe String(cString: strerror(errno)))")
        }
    }

    /// The names in a folder, hidden ones left out, sorted; none when it cannot be read.
    static func names(in path: String) -> [String] {
        guard let folder = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    /// The length of a plain file and when it was changed, in nanoseconds since 1970; nil when it is none.
    static func status(_ path: String) -> (bytes: Int, changed: Int)? {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return (Int(status.st_size), Int(status.st_mtim.tv_sec) * 1_000_000_000 + Int(status.st_mtim.tv_nsec))
    }
}

/// Whole files.
enum WholeFile {
    /// Writes everything; 0, or the `errno` of what failed.
    static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        var at = 0
        while at < bytes.count {
            let written = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress?.advanced(by: at), min(buffer.count - at, 1 << 20))
            }
            if written > 0 {
                at += written
            } else if written == 0 || errno != EINTR {
                return written == 0 ? ENOSPC : errno
            }
        }
        return 0
    }

    /// Reads a file of `limit` bytes at most; nil when it cannot be read or is longer.
    static func read(_ path: String, limit: Int) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_size <= limit
        else { return nil }
        let count = Int(status.st_size)
        var bytes = [UInt8](repeating: 0, count: count)
        var at = 0
        while at < count {
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress?.advanced(by: at), count - at)
            }
            if got > 0 {
                at += got
            } else if got == 0 || errno != EINTR {
                return nil
            }
        }
        return bytes
    }
}
