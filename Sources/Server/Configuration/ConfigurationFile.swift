// Reads the configuration file (JSON5), the environment and the flags, in that order, each over the one before; and prints
// the documented default file.
import FoundationEssentials

/// Any JSON value, so that a key nobody knows can be named instead of ignored.
enum JSONValue: Decodable {
    case object([String: JSONValue])
    case list([JSONValue])
    case text(String)
    case number(Double)
    case flag(Bool)
    case null

    init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        if single.decodeNil() {
            self = .null
        } else if let value = try? single.decode(Bool.self) {
            self = .flag(value)
        } else if let value = try? single.decode(Double.self) {
            self = .number(value)
        } else if let value = try? single.decode(String.self) {
            self = .text(value)
        } else if let value = try? single.decode([JSONValue].self) {
            self = .list(value)
        } else {
            self = .object(try single.decode([String: JSONValue].self))
        }
    }
}

extension Configuration {
    /// The largest configuration file that is read, in bytes.
    static let maximumFileBytes = 1 << 20

    /// Sets what a configuration file says. `name` is the file's name, for errors.
    public mutating func apply(file bytes: [UInt8], name: String) throws(ConfigurationError) {
        guard bytes.count <= Self.maximumFileBytes else {
            throw ConfigurationError("\(name): a configuration file has at most \(Self.maximumFileBytes) bytes")
        }
        let decoder = JSONDecoder()
        decoder.allowsJSON5 = true
        let tree: JSONValue
        do {
            tree = try decoder.decode(JSONValue.self, from: Data(bytes))
        } catch {
            // The decoder does not say where.
            throw ConfigurationError(
                "\(name): it is not valid JSON5: look for a missing comma, quote or brace (`majlis serve --print-config` prints a valid file)"
            )
        }
        guard case .object(let members) = tree else { throw ConfigurationError("\(name): it must be one JSON5 object") }
        try apply(members, prefix: "", name: name)
    }

    private mutating func apply(
        _ members: [String: JSONValue], prefix: String, name: String
    ) throws(ConfigurationError) {
        for key in members.keys.sorted() {
            guard let value = members[key] else { continue }
            let path = prefix + key
            if case .object(let inner) = value, Setting.all.contains(where: { $0.key.hasPrefix(path + ".") }) {
                try apply(inner, prefix: path + ".", name: name)
                continue
            }
            guard let setting = Setting.named(path) else {
                let near = Setting.nearest(to: path).map { "; did you mean \($0)?" } ?? ""
                throw ConfigurationError("\(name): unknown key \(path)\(near)")
            }
            try apply(value, to: setting, name: name)
        }
    }

    private mutating func apply(_ value: JSONValue, to setting: Setting, name: String) throws(ConfigurationError) {
        switch (setting.value, value) {
        case (.text(let write, _), .text(let text)): write(&self, text)
        case (.flag(let write, _), .flag(let flag)): write(&self, flag)
        case (.number(let range, _, _), .number(let number)):
            guard number == number.rounded(), abs(number) < 1e15 else {
                throw ConfigurationError(
                    "\(name): \(setting.key) takes a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            try setting.set(&self, text: String(Int(number)), from: name)
        case (.list(let write, _), .list(let items)):
            var texts: [String] = []
            for item in items {
                guard case .text(let text) = item else {
                    throw ConfigurationError("\(name): \(setting.key) takes a list of texts")
                }
                texts.append(text)
            }
            write(&self, texts)
        default:
            let wanted =
                switch setting.value {
                case .text: "a text"
                case .flag: "true or false"
                case .number(let range, _, _): "a whole number from \(range.lowerBound) to \(range.upperBound)"
                case .list: "a list of texts"
                }
            throw ConfigurationError("\(name): \(setting.key) takes \(wanted)")
        }
    }

    /// Sets what the environment says; a `MAJLIS_` variable that names no setting is an error.
    public mutating func apply(environment: [String: String]) throws(ConfigurationError) {
        for name in environment.keys.sorted() where name.hasPrefix("MAJLIS_") {
            guard let setting = Setting.all.first(where: { $0.environmentName == name }) else { continue }
            try setting.set(&self, text: environment[name] ?? "", from: name)
        }
    }

    /// The documented default file, which is itself a valid configuration; with this configuration's values, secrets left
    /// out.
    public func documentedFile() -> String {
        var text = """
            // Majlis: every setting with its default. JSON5: comments and trailing commas are welcome.
            // A flag (--listen.port 9000) goes over an environment variable (MAJLIS_LISTEN_PORT=9000), and that over this file.
            {

            """
        var group = ""
        for setting in Setting.all {
            let parts = setting.key.split(separator: ".")
            let (itsGroup, name) = parts.count == 2 ? (String(parts[0]), String(parts[1])) : ("", String(parts[0]))
            if itsGroup != group {
                if !group.isEmpty { text += "  },\n" }
                if !itsGroup.isEmpty { text += "  \(itsGroup): {\n" }
                group = itsGroup
            }
            let indent = group.isEmpty ? "  " : "    "
            text += "\(indent)// \(setting.text)\n"
            text += "\(indent)\(name): \(literal(setting)),\n"
        }
        if !group.isEmpty { text += "  },\n" }
        return text + "}\n"
    }

    private func literal(_ setting: Setting) -> String {
        func quoted(_ text: String) -> String {
            var out = "\""
            for scalar in text.unicodeScalars {
                switch scalar {
                case "\"": out += "\\\""
                case "\\": out += "\\\\"
                case "\n": out += "\\n"
                default: out.unicodeScalars.append(scalar)
                }
            }
            return out + "\""
        }
        switch setting.value {
        case .text(_, let read): return setting.isSecret ? "\"\"" : quoted(read(self))
        case .number(_, _, let read): return String(read(self))
        case .flag(_, let read): return read(self) ? "true" : "false"
        case .list(_, let read): return "[" + read(self).map(quoted).joined(separator: ", ") + "]"
        }
    }
}
