// Splits the arguments of the command into options and words; knows nothing of what they mean.

/// The arguments behind a subcommand.
struct Arguments {
    /// `--name value` and `--name=value`, in order; a name of `switches` stands alone and has the value "true".
    private(set) var options: [(name: String, value: String)] = []
    /// What is not an option.
    private(set) var words: [String] = []

    /// Splits them; `switches` are the options that take no value.
    init(_ arguments: [String], switches: Set<String>) throws(ConfigurationError) {
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            index += 1
            guard argument.hasPrefix("--"), argument.count > 2 else {
                if argument == "-h" {
                    options.append(("help", "true"))
                } else {
                    words.append(argument)
                }
                continue
            }
            let name = String(argument.dropFirst(2))
            if let equals = name.firstIndex(of: "=") {
                options.append((String(name[..<equals]), String(name[name.index(after: equals)...])))
            } else if switches.contains(name) {
                options.append((name, "true"))
            } else if index < arguments.count {
                options.append((name, arguments[index]))
                index += 1
            } else {
                throw ConfigurationError("--\(name) needs a value")
            }
        }
    }

    /// The last value given for an option, or nil.
    func value(_ name: String) -> String? { options.last { $0.name == name }?.value }
    /// Whether a switch was given.
    func has(_ name: String) -> Bool { value(name) == "true" }
}
