// Walks through the larger worlds of calls, in an optimised build (`make check-all`): a debug build takes ten times as long. Ends with 1
// where a rule is broken, or a state is found from which no call can end.
//     MAJLIS_CALL_MODEL=1 swift build -c release -Xswiftc -enable-testing --scratch-path .build-model --product CallModel
import Glibc

@testable import Signalling

@main
struct CallModel {
    /// - Parameter names: of the worlds; all where there are none.
    static func main() {
        let names = CommandLine.arguments.dropFirst()
        let worlds = CallWorld.Large.allCases.filter { names.isEmpty || names.contains($0.rawValue) }
        var isBroken = worlds.isEmpty
        for one in worlds {
            var result = CallWorld.Exploration()
            let took = ContinuousClock().measure { result = CallWorld.explore(one.world) }
            print("calls: \(one.rawValue): \(result), in \(took.components.seconds) s")
            fflush(nil)
            if let broken = result.broken { print("✘ \(one.rawValue): \(broken)") }
            if result.stuck > 0 { print("✘ \(one.rawValue): \(result.stuck) states lead to no end") }
            if result.states < 10_000 || result.ends == 0 { print("✘ \(one.rawValue): too few states, or no end") }
            isBroken = isBroken || result.isBroken
        }
        exit(isBroken ? 1 : 0)
    }
}

extension CallWorld.Exploration {
    fileprivate var isBroken: Bool { broken != nil || stuck > 0 || states < 10_000 || ends == 0 }
}
