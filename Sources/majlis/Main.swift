// The command: hands its arguments to Server and exits with what that returns.
@main
enum Main {
    static func main() {}
}
