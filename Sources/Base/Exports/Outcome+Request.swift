// SPDX-License-Identifier: Apache-2.0

extension Outcome {
    /// The client will not send it again.
    package var isAcknowledged: Bool {
        switch self {
        case .accepted, .partial: true
        case .retry, .throttled, .refused, .expired: false
        }
    }

    /// Where a request that was answered with it is counted.
    package var requestCounter: Counter {
        switch self {
        case .accepted: .requestsAccepted
        case .partial: .requestsPartial
        case .retry: .requestsRetry
        case .throttled: .requestsThrottled
        case .refused: .requestsRefused
        case .expired: .requestsExpired
        }
    }
}
