// The command: hands its arguments to Server and exits with what that returns.
import Glibc
import Server

@main
enum Main {
    static func main() {
        exit(Command.run(Array(CommandLine.arguments.dropFirst())))
    }
}
