// How many descriptors this process may have. What needs many asks for them before it opens the first: the soft limit is 1,024 on many
// machines where the hard one is far higher.
import Glibc

/// The limit of open descriptors (RLIMIT_NOFILE).
public enum DescriptorLimit {
    /// Raises the soft limit to what is wanted, as far as the hard one allows; never lowers it.
    /// - Returns: the soft limit from now on.
    @discardableResult
    public static func raise(to wanted: Int) -> Int {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return 0 }
        let before = limit.rlim_cur
        limit.rlim_cur = min(limit.rlim_max, max(before, rlim_t(clamping: wanted)))
        if limit.rlim_cur != before, unsafe setrlimit(resource, &limit) != 0 { limit.rlim_cur = before }
        return Int(clamping: limit.rlim_cur)
    }
}
