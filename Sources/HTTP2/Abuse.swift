// SPDX-License-Identifier: Apache-2.0

/// What a peer did too much of, or for too long, so that its connection ends with
/// ENHANCE_YOUR_CALM. Each case is a limit of `HTTP2Settings` or of `ConnectionTimes`.
package enum Abuse: Error, Equatable, CaseIterable, Sendable {
    /// PING (CVE-2019-9512), or keepalive that is too eager (gRFC A8).
    case pings
    /// SETTINGS (CVE-2019-9515).
    case settings
    /// Frames that carry nothing: all but HEADERS and DATA, and DATA of next to no bytes
    /// (CVE-2019-9511).
    case controlFrames
    /// Streams opened and cancelled (CVE-2023-44487).
    case resets
    /// Frames that make us reset a stream (CVE-2025-8671), and header lists over the limit.
    case invalidFrames
    /// Header lists over the limit, which have to be decoded nevertheless.
    case headerLists
    /// DATA frames without bytes (CVE-2019-9518).
    case emptyData
    /// Frames caused, and not read (CVE-2019-9517).
    case unreadFrames
    /// No SETTINGS came, or no acknowledgement of ours.
    case slowHandshake
    /// A header block that was begun and not ended.
    case slowHeaders
    /// No answer to our PING: nobody is there.
    case keepalive

    /// For people who look at their client, in GOAWAY; the first is what gRPC clients look for.
    package var debugText: StaticString {
        switch self {
        case .pings: "too_many_pings"
        case .settings: "too_many_settings"
        case .controlFrames: "too_many_control_frames"
        case .resets: "too_many_resets"
        case .invalidFrames: "too_many_invalid_frames"
        case .headerLists: "too_many_large_header_lists"
        case .emptyData: "too_many_empty_data_frames"
        case .unreadFrames: "too_many_unread_frames"
        case .slowHandshake: "handshake_timeout"
        case .slowHeaders: "header_timeout"
        case .keepalive: "keepalive_timeout"
        }
    }
}
