// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import COTLP

/// The memory of what stamping adds: one attribute, one resource for groups without any, and a list
/// for each of the others.
///
/// Ownership: the export. Charged to the budget while it lives.
@safe
final class StampMemory {
    private let memory: UnsafeMutableRawPointer
    let sizeBytes: Int
    private var usedBytes = 0
    private let budget: MemoryBudget
    /// A `KeyValue` on the wire.
    private let attribute: ProtobufCBinaryData
    private let bare: UnsafeMutablePointer<Otlp__Resource>

    static func listSizeBytes(_ count: Int) -> Int {
        count * UnpackModel.repeatedBytesElementSizeBytes
    }

    /// Nil when the budget is spent.
    init?(_ stamp: ResourceStamp, listSizeBytes: Int, budget: MemoryBudget) {
        let wire = stamp.wire
        let resourceSizeBytes = unsafe UnpackModel.rounded(MemoryLayout<Otlp__Resource>.size)
        let wireSizeBytes = UnpackModel.rounded(wire.count)
        sizeBytes = listSizeBytes + Self.listSizeBytes(1) + resourceSizeBytes + wireSizeBytes
        guard budget.tryReserve(sizeBytes) else { return nil }
        self.budget = budget
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: sizeBytes, alignment: Arena.alignmentBytes)
        unsafe memory = block
        let bytes = unsafe block.bindMemory(to: UInt8.self, capacity: wire.count)
        unsafe bytes.initialize(from: wire, count: wire.count)
        unsafe attribute = ProtobufCBinaryData(len: wire.count, data: bytes)
        unsafe bare = (block + wireSizeBytes).bindMemory(to: Otlp__Resource.self, capacity: 1)
        unsafe otlp__resource__init(bare)
        usedBytes = wireSizeBytes + resourceSizeBytes
        unsafe setList(of: bare)
    }

    deinit {
        unsafe memory.deallocate()
        budget.release(sizeBytes)
    }

    /// Gives `resource` the attribute, or the place of one that is missing a resource.
    func put(on resource: inout UnsafeMutablePointer<Otlp__Resource>?) {
        guard let present = unsafe resource else { return unsafe resource = bare }
        unsafe setList(of: present)
    }

    /// Replaces the list of attributes: those with another key, then ours.
    private func setList(of resource: UnsafeMutablePointer<Otlp__Resource>) {
        let countMax = unsafe resource.pointee.n_attributes + 1
        let list = unsafe (memory + usedBytes).bindMemory(
            to: ProtobufCBinaryData.self, capacity: countMax)
        usedBytes += Self.listSizeBytes(countMax)
        precondition(usedBytes <= sizeBytes)
        let key = unsafe KeyValueView(byteSlice(attribute)).key
        var count = 0
        for index in unsafe 0..<resource.pointee.n_attributes {
            let member = unsafe resource.pointee.attributes[index]
            guard unsafe !KeyValueView(byteSlice(member)).key.elementsEqual(key) else { continue }
            unsafe (list + count).initialize(to: member)
            count += 1
        }
        unsafe (list + count).initialize(to: attribute)
        unsafe resource.pointee.attributes = list
        unsafe resource.pointee.n_attributes = count + 1
    }
}
