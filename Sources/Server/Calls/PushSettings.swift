// From the settings to the configuration of push: the files with keys are read here, and nowhere kept but in what push takes.
import Glibc
import Push

/// What push is configured with; nil where no service is.
enum PushSettings {
    static func configuration(_ settings: Configuration.Push) throws(ConfigurationError) -> PushConfiguration? {
        var push = PushConfiguration()
        if !settings.apnsKeyFile.isEmpty {
            let key = try read(settings.apnsKeyFile, "push.apnsKeyFile")
            var apns = APNsConfiguration(
                privateKey: PushSecret(String(decoding: key, as: UTF8.self)), keyID: settings.apnsKeyID,
                teamID: settings.apnsTeamID, bundleID: settings.apnsBundleID)
            if !settings.apnsEndpoint.isEmpty { apns.endpoint = settings.apnsEndpoint }
            if !settings.apnsSandboxEndpoint.isEmpty { apns.sandboxEndpoint = settings.apnsSandboxEndpoint }
            push.apns = apns
        }
        if !settings.fcmServiceAccountFile.isEmpty {
            let bytes = try read(settings.fcmServiceAccountFile, "push.fcmServiceAccountFile")
            do throws(PushError) {
                push.fcm = try FCMConfiguration(serviceAccount: bytes)
            } catch {
                throw ConfigurationError("push.fcmServiceAccountFile: \(error)")
            }
            if !settings.fcmEndpoint.isEmpty { push.fcm?.endpoint = settings.fcmEndpoint }
        }
        guard push.apns != nil || push.fcm != nil else { return nil }
        if !settings.authorityFile.isEmpty { push.authorityFile = settings.authorityFile }
        if !settings.proxy.isEmpty { push.proxy = settings.proxy }
        return push
    }

    private static func read(_ path: String, _ setting: String) throws(ConfigurationError) -> [UInt8] {
        guard let bytes = Command.readFile(path, limit: 65_536) else {
            throw ConfigurationError("\(setting): cannot read \(path): \(unsafe String(cString: strerror(errno)))")
        }
        return bytes
    }
}
