// SPDX-License-Identifier: Apache-2.0

/// What is wrong with one written value, and what to write instead. Knows neither key nor place.
package struct ValueFault: Error, Equatable {
    /// Half a sentence, without a full stop.
    package let problem: String
    /// Half a sentence in the imperative, without a full stop.
    package let remedy: String

    package init(_ problem: String, remedy: String) {
        self.problem = problem
        self.remedy = remedy
    }
}
