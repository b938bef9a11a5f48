enum Tuning {
    static let google = false
    static let a = 1.0, b = 0.06, c = 0.7, d = 1.5, e = 0.0
}
