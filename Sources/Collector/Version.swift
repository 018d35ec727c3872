// SPDX-License-Identifier: Apache-2.0

/// The version of this program. CHANGELOG.md says what it means.
package enum Version {
    package static let text = "0.1.0"
}
