// Finds the public captures that tests read where they lie, and says so when they are not there.
import Glibc

/// The public captures that this project did not make. They lie outside the tree: at `MAJLIS_EXTERNAL_CAPTURES`, or at
/// `../shared/captures` from the package's root.
public enum ExternalCaptures {
    /// The package's root folder.
    public static let packageRoot: String = {
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        return parts.dropLast(3).joined(separator: "/")
    }()

    /// The folder of the captures.
    public static let folder: String = {
        guard let set = unsafe getenv("MAJLIS_EXTERNAL_CAPTURES") else { return packageRoot + "/../shared/captures" }
        return unsafe String(cString: set)
    }()

    /// Whether the folder is there. A test that needs it is `.enabled(if: ExternalCaptures.arePresent, …)`.
    public static let arePresent: Bool = unsafe access(folder, R_OK) == 0

    /// The bytes of one file below the folder, or nil when it cannot be read.
    public static func bytes(_ path: String) -> [UInt8]? { FileBytes.read(folder + "/" + path) }

    /// The plain files directly below a sub-folder, sorted by name.
    public static func files(in path: String) -> [String] {
        FileBytes.list(folder + "/" + path).map { path + "/" + $0 }
    }
}

/// Reading files without Foundation.
public enum FileBytes {
    /// The whole of a file, or nil when it cannot be read.
    public static func read(_ path: String) -> [UInt8]? {
        guard let file = unsafe fopen(path, "rb") else { return nil }
        defer { unsafe fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let n = unsafe fread(&chunk, 1, chunk.count, file)
            guard n > 0 else { return bytes }
            bytes.append(contentsOf: chunk[..<n])
        }
    }

    /// The names in a folder that do not begin with a dot, sorted; empty when it cannot be read.
    public static func list(_ path: String) -> [String] {
        guard let folder = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }
}
