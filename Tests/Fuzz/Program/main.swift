// SPDX-License-Identifier: Apache-2.0
import Base
import CLibFuzzer
import CLinux

// libFuzzer with one of the targets, which STARLING_FUZZ_TARGET names: an argument would be lost
// where libFuzzer starts itself again. Without it, the names of all targets.

private func say(_ text: String, to descriptor: Int32 = 2) {
    let line = Array((text + "\n").utf8)
    _ = unsafe write(descriptor, line, line.count)
}

private enum Chosen {
    static let name = unsafe getenv("STARLING_FUZZ_TARGET").map { unsafe String(cString: $0) }
    static let target = name.flatMap(FuzzTarget.named)
}

private func run() -> Int32 {
    guard let name = Chosen.name else {
        for target in FuzzTarget.all { say("\(target.name) \(target.inputSizeBytesMax)", to: 1) }
        return 0
    }
    if name == "pack" { return PackMode.run() }
    guard Chosen.target != nil else {
        say("STARLING_FUZZ_TARGET: there is no target \(name)")
        return 64
    }
    var argumentCount = CommandLine.argc
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? =
        unsafe CommandLine.unsafeArgv
    return unsafe LLVMFuzzerRunDriver(&argumentCount, &arguments) { data, sizeBytes in
        let input = unsafe ByteSlice(base: UnsafeRawPointer(data), count: sizeBytes)
        do {
            try Chosen.target?.check(input)
        } catch {
            say("does not hold: \(error)")
            abort()
        }
        return 0
    }
}

exit(run())
