// libFuzzer's entry into the readers of captures: this project's and foreign ones. What is read is written again and has
// to read back equal.
import Captures

/// Tries one input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCaptures(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
    let events = read(bytes)
    var writer = CaptureWriter()
    for event in events { writer.append(event) }
    precondition(writer.refused == 0, "what was read has its place in the format")
    precondition(read(writer.take()) == events, "what was read and written reads back equal")
    if let conversion = try? CaptureConvert.convert(bytes, minimumPackets: 1) {
        precondition(conversion.frames <= count, "a frame takes bytes")
        precondition(conversion.events.count <= conversion.datagrams, "a packet is a datagram")
    }
    return 0
}

private func read(_ bytes: [UInt8]) -> [CaptureEvent] {
    var events: [CaptureEvent] = []
    do throws(CaptureError) {
        var reader = try CaptureReader(bytes)
        while let event = try reader.next() { events.append(event) }
    } catch {
        precondition(error.offset >= 0 && error.offset <= bytes.count, "an error names a place in the file")
    }
    return events
}
