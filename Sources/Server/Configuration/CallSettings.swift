// The settings of one-to-one calls, of what outlives the server and of push, for the table of all settings.

extension Setting {
    static let ofCalls: [Setting] = [
        number("calls.ringSeconds", \.calls.ringSeconds, 5...600, "Seconds that a call rings."),
        number(
            "calls.connectSeconds", \.calls.connectSeconds, 5...600,
            "Seconds that two devices may take to find each other."),
        number(
            "calls.graceSeconds", \.calls.graceSeconds, 5...600,
            "Seconds that a call waits for a device that was lost, or for both after a restart of the server."),
        flag(
            "calls.returnsToDirect", \.calls.returnsToDirect,
            "Let a call that moved into a room for a third person go from device to device again when two are left."),
        number("calls.devicesPerUser", \.calls.devicesPerUser, 1...64, "Connected devices of one user."),
        number(
            "calls.callsPerUser", \.calls.callsPerUser, 1...64, "Calls of one user at once, those that ring included."),
        number(
            "calls.inviteSeconds", \.calls.inviteSeconds, 0...3_600,
            "Seconds after which a user may place one more call, over a long time; 0 here or in pairSeconds: no limit."),
        number("calls.inviteBurst", \.calls.inviteBurst, 1...10_000, "Calls that a user may place at once."),
        number(
            "calls.pairSeconds", \.calls.pairSeconds, 0...3_600,
            "Seconds after which a user may call the same person once more, over a long time."),
        number("calls.pairBurst", \.calls.pairBurst, 1...10_000, "Calls to the same person at once."),
        text(
            "storage.path", \.storage.path,
            "The SQLite file of devices, block lists, missed calls and call records; empty takes $STATE_DIRECTORY/majlis.db, else one below $XDG_STATE_HOME or ~/.local/state; memory: nothing outlives the server."
        ),
        number(
            "storage.historyDays", \.storage.historyDays, 0...36_500,
            "Days that call records and missed calls are kept; 0 is for ever."),
        text("push.apnsKeyFile", \.push.apnsKeyFile, "The file with Apple's private key (.p8); turns its push on."),
        text("push.apnsKeyID", \.push.apnsKeyID, "The key's identifier, 10 characters."),
        text("push.apnsTeamID", \.push.apnsTeamID, "The developer team, 10 characters."),
        text("push.apnsBundleID", \.push.apnsBundleID, "The application's bundle identifier, without .voip."),
        text("push.apnsEndpoint", \.push.apnsEndpoint, "Where messages go; empty: Apple's service."),
        text(
            "push.apnsSandboxEndpoint", \.push.apnsSandboxEndpoint,
            "Where messages for applications under development go; empty: Apple's service."),
        text(
            "push.fcmServiceAccountFile", \.push.fcmServiceAccountFile,
            "The file with Google's service account, in JSON; turns its push on."),
        text("push.fcmEndpoint", \.push.fcmEndpoint, "Where messages go; empty: Google's service."),
        text(
            "push.authorityFile", \.push.authorityFile,
            "Certificates in PEM that push services are verified against; empty: the machine's own."),
        text(
            "push.proxy", \.push.proxy, "The URL of an HTTP proxy for push, with its password; empty: none.",
            secret: true),
    ]
}
