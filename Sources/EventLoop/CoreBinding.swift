// Which core of the machine a thread runs on: for measurements, where two programs shall not meet.
import CUV

/// The binding of threads to cores.
public enum CoreBinding {
    /// Binds the calling thread, and threads that it starts from then on, to one core, from 0; whether the machine allows it.
    @discardableResult
    public static func bindThread(toCore core: Int) -> Bool { majlis_uv_bind_thread(Int32(clamping: core)) == 0 }
}
