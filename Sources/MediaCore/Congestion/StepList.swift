// The steps of one track in place, without memory of their own: receivers' slots are divided anew four times a second.

/// At most sixteen steps, from the least to the best.
struct StepList: RandomAccessCollection, BitwiseCopyable {
    /// More than any publisher offers that is told of by its packets; what is beyond is not given.
    static let limit = 16
    private static let none = LayerStep(encoding: -1, layer: 0, rate: .zero)

    private var steps = InlineArray<16, LayerStep>(repeating: none)
    private var used: UInt8 = 0

    var startIndex: Int { 0 }
    var endIndex: Int { Int(used) }

    init() {}

    subscript(index: Int) -> LayerStep {
        precondition(index >= 0 && index < Int(used), "there is no such step")
        return steps[index]
    }

    mutating func append(_ step: LayerStep) {
        guard used < Self.limit else { return }
        steps[Int(used)] = step
        used += 1
    }
}

extension StepList: ExpressibleByArrayLiteral {
    init(arrayLiteral elements: LayerStep...) {
        for step in elements { append(step) }
    }
}
