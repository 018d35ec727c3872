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
    private let attribute: UnsafeMutablePointer<Otlp__KeyValue>
    private let bare: UnsafeMutablePointer<Otlp__Resource>

    static func listSizeBytes(_ count: Int) -> Int {
        UnpackModel.rounded(count * UnpackModel.repeatedElementSizeBytes)
    }

    /// Nil when the budget is spent.
    init?(_ stamp: ResourceStamp, listSizeBytes: Int, budget: MemoryBudget) {
        sizeBytes =
            unsafe listSizeBytes + Self.listSizeBytes(1)
            + UnpackModel.rounded(MemoryLayout<Otlp__Resource>.size)
            + UnpackModel.rounded(MemoryLayout<Otlp__KeyValue>.size)
            + UnpackModel.rounded(MemoryLayout<Otlp__AnyValue>.size)
            + UnpackModel.rounded(stamp.key.count) + UnpackModel.rounded(stamp.value.count)
        guard budget.tryReserve(sizeBytes) else { return nil }
        self.budget = budget
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: sizeBytes, alignment: Arena.alignmentBytes)
        unsafe memory = block
        var offset = 0
        func place(_ sizeBytes: Int) -> UnsafeMutableRawPointer {
            defer { offset += UnpackModel.rounded(sizeBytes) }
            return unsafe block + offset
        }
        func text(_ bytes: [UInt8]) -> ProtobufCBinaryData {
            let target = unsafe place(bytes.count).bindMemory(to: UInt8.self, capacity: bytes.count)
            unsafe target.initialize(from: bytes, count: bytes.count)
            return unsafe ProtobufCBinaryData(len: bytes.count, data: target)
        }
        let value = unsafe place(MemoryLayout<Otlp__AnyValue>.size).bindMemory(
            to: Otlp__AnyValue.self, capacity: 1)
        unsafe otlp__any_value__init(value)
        unsafe value.pointee.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE
        unsafe value.pointee.string_value = text(stamp.value)
        unsafe attribute = place(MemoryLayout<Otlp__KeyValue>.size).bindMemory(
            to: Otlp__KeyValue.self, capacity: 1)
        unsafe otlp__key_value__init(attribute)
        unsafe attribute.pointee.key = text(stamp.key)
        unsafe attribute.pointee.value = value
        unsafe bare = place(MemoryLayout<Otlp__Resource>.size).bindMemory(
            to: Otlp__Resource.self, capacity: 1)
        unsafe otlp__resource__init(bare)
        usedBytes = offset
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
            to: UnsafeMutablePointer<Otlp__KeyValue>?.self, capacity: countMax)
        usedBytes += Self.listSizeBytes(countMax)
        precondition(usedBytes <= sizeBytes)
        let key = unsafe byteSlice(attribute.pointee.key)
        var count = 0
        for index in unsafe 0..<resource.pointee.n_attributes {
            let member = unsafe resource.pointee.attributes[index]
            guard let found = unsafe member, unsafe !byteSlice(found.pointee.key).elementsEqual(key)
            else { continue }
            unsafe (list + count).initialize(to: member)
            count += 1
        }
        unsafe (list + count).initialize(to: attribute)
        unsafe resource.pointee.attributes = list
        unsafe resource.pointee.n_attributes = count + 1
    }
}
