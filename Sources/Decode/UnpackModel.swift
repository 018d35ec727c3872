// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import COTLP

/// How much memory protobuf-c takes for a message, as far as its headers do not say.
///
/// Unpacking one message allocates, in this order: its struct; slabs of scanned members beyond
/// those that fit on the stack, each slab twice the last; one array for each repeated field that
/// occurs; one array for its unknown fields; and then for each field the sub-message or the copy of
/// the bytes. Slabs are freed at the end; that they are used again is not predicted, because what
/// else has their size is not known before.
struct UnpackModel: BitwiseCopyable, Sendable {
    /// Members of one message that need no slab.
    let stackMemberCount: Int
    /// Bytes of one scanned member.
    let memberSizeBytes: Int

    /// Bytes of the first slab of a message.
    var slabSizeBytesMin: Int { 2 * stackMemberCount * memberSizeBytes }

    /// `Arena.alignmentBytes`, known at compile time.
    private static let alignmentBytes = 16

    /// `sizeBytes` rounded up to the alignment of the arena's pieces.
    @inline(__always)
    static func rounded(_ sizeBytes: Int) -> Int {
        (sizeBytes &+ (alignmentBytes - 1)) & ~(alignmentBytes - 1)
    }

    /// Bytes of all slabs for a message with `memberCount` fields on the wire.
    @inline(never)
    func slabSizeBytes(memberCount: Int) -> Int {
        var totalBytes = 0
        var slabMemberCount = stackMemberCount
        var roomCount = stackMemberCount
        while roomCount < memberCount {
            slabMemberCount *= 2
            roomCount += slabMemberCount
            totalBytes += Self.rounded(slabMemberCount * memberSizeBytes)
        }
        return totalBytes
    }

    /// Bytes of the array that lists `count` unknown fields; the copies of the fields come on top.
    static func unknownFieldsSizeBytes(count: Int) -> Int {
        unsafe rounded(count * MemoryLayout<ProtobufCMessageUnknownField>.stride)
    }

    /// Bytes of one element of a repeated string, or of repeated messages that stay on the wire.
    static let repeatedBytesElementSizeBytes = unsafe MemoryLayout<ProtobufCBinaryData>.stride
    /// Bytes of one element of any other repeated field: a pointer or a number.
    static let repeatedElementSizeBytes = 8

    /// Measures the library that is loaded, which keeps the size of a scanned member to itself.
    ///
    /// `descriptor` is of a message whose field 3 is an int32, which costs nothing but its place in
    /// a slab. Traps when the library does not allocate as described above: then no prediction
    /// holds, and the daemon must not start.
    init(measuredWith descriptor: UnsafePointer<ProtobufCMessageDescriptor>) {
        func allocationSizes(memberCount: Int) -> [Int] {
            unsafe RecordingAllocator.sizes(
                descriptor, repeating: [0x18, 0x01], count: memberCount)
        }
        precondition(Self.alignmentBytes == Arena.alignmentBytes)
        unsafe precondition(MemoryLayout<UnsafeRawPointer>.stride == Self.repeatedElementSizeBytes)
        precondition(Self.repeatedBytesElementSizeBytes % Self.alignmentBytes == 0)
        let structSizeBytes = unsafe Int(descriptor.pointee.sizeof_message)
        let stackCountMax = 1_024
        let firstWithSlab = (1...stackCountMax).first { allocationSizes(memberCount: $0).count > 1 }
        guard let firstWithSlab, firstWithSlab > 1 else {
            preconditionFailure("this protobuf-c does not keep scanned members in slabs")
        }
        stackMemberCount = firstWithSlab - 1
        let slabSizeBytes = allocationSizes(memberCount: firstWithSlab)[1]
        memberSizeBytes = slabSizeBytes / (2 * stackMemberCount)
        let expected = [structSizeBytes, slabSizeBytes, 2 * slabSizeBytes]
        precondition(slabSizeBytes % (2 * stackMemberCount) == 0)
        precondition(
            allocationSizes(memberCount: 3 * stackMemberCount) == Array(expected.prefix(2))
                && allocationSizes(memberCount: 3 * stackMemberCount + 1) == expected,
            "this protobuf-c grows its slabs in another way")
    }
}

/// An allocator that notes what protobuf-c asks for.
private struct RecordingAllocator: ~Copyable {
    private var arena = Arena(sizeBytes: 1 << 20)
    private var sizes: [Int] = []

    /// The sizes of all allocations for a message that is `count` times `field`.
    static func sizes(
        _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>, repeating field: [UInt8],
        count: Int
    ) -> [Int] {
        let wire = [[UInt8]](repeating: field, count: count).flatMap { $0 }
        var recorder = RecordingAllocator()
        let isUnpacked = unsafe withUnsafeMutablePointer(to: &recorder) { recorder in
            var allocator = unsafe ProtobufCAllocator(
                alloc: { context, sizeBytes in
                    unsafe context!.assumingMemoryBound(to: RecordingAllocator.self).pointee
                        .allocate(sizeBytes)
                },
                free: { _, _ in },
                allocator_data: recorder)
            return unsafe protobuf_c_message_unpack(descriptor, &allocator, wire.count, wire) != nil
        }
        precondition(isUnpacked)
        return recorder.sizes
    }

    private mutating func allocate(_ sizeBytes: Int) -> UnsafeMutableRawPointer? {
        sizes.append(sizeBytes)
        return unsafe arena.allocate(sizeBytes: sizeBytes)
    }
}
