// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Collector

// Goal: no password is ever printed. Where the form is broken, more is hidden rather than less.

@Suite struct DatabaseURLTests {
    @Test(arguments: [
        ("", ""),
        ("postgresql://db/starling", "postgresql://db/starling"),
        ("postgres://u@db:5432/starling", "postgres://u@db:5432/starling"),
        ("postgresql://u:secret@db/starling", "postgresql://u:***@db/starling"),
        (
            "postgresql://u:secret@h1:1,h2:2/x?sslmode=require",
            "postgresql://u:***@h1:1,h2:2/x?sslmode=require"
        ),
        ("postgresql://u:@db/x", "postgresql://u:***@db/x"),
        ("postgresql://u:se@cret@db/x", "postgresql://u:***@db/x"),
        ("postgresql://u:se/cret@db/x", "postgresql://u:***@db/x"),
        ("postgresql://u:se?cret@db/x", "postgresql://u:***@db/x"),
        ("postgresql://db/x?user=u&password=secret", "postgresql://db/x?user=u&password=***"),
        ("postgresql://db/x?password=secret&user=u", "postgresql://db/x?password=***&user=u"),
        ("postgresql://db/x?p%61ssword=secret", "postgresql://db/x?p%61ssword=***"),
        ("postgresql://db/x?sslpassword=secret", "postgresql://db/x?sslpassword=***"),
        ("host=db dbname=x", "host=db dbname=x"),
        ("host=db password=secret user=u", "host=db password=*** user=u"),
        ("host=db password = secret user=u", "host=db password = *** user=u"),
        ("password='se cret' user=u", "password=*** user=u"),
        ("password='se\\' cret' user=u", "password=*** user=u"),
        ("password=se\\ cret user=u", "password=*** user=u"),
        ("password='open user=u", "password=***"),
        ("password='se'cret' user=u", "password=***"),
        ("user=u password='se' cret' host=db", "user=u password=***"),
        ("application_name='it's' password=secret", "application_name='it's' password=***"),
        ("=x password=secret", "=x password=***"),
        (" host = db ", " host = db "),
        ("host=db user", "host=db user"),
        ("host= password=secret", "host= password=***"),
        ("host=db\\ PassWord=secret", "host=db\\ password=***"),
        ("postgresql://db/x password=secret", "postgresql://db/x password=***"),
        ("sslpassword=secret\npassword=\tsecret", "sslpassword=***\npassword=\t***"),
        ("password=ab://c host=db", "password=*** host=db"),
        ("mysql://u:secret@h/d", "mysql://u:***@h/d"),
        ("secret", "***"),
    ])
    func masks(url: String, expected: String) {
        #expect(DatabaseURL.masked(url) == expected)
    }

    // What libpq would say only when it connects, or not at all.
    @Test(arguments: [
        "db", "db/starling", "mysql://u@h/d", "mysql://h/d?a=b", "x postgresql://h/d a=b",
        "postgresql://h/d\0?a=b", "host=db\0 user=u",
    ])
    func whatIsNeitherIsRefused(text: String) {
        #expect(throws: ValueFault.self) { try DatabaseURL.check(text) }
    }

    @Test(arguments: [
        "", "postgresql://", "postgres://h/d?a=b", "host=db", "host=db options='-c x=://'",
    ])
    func whatLibpqReadsIsTaken(text: String) throws {
        #expect(try DatabaseURL.check(text) == text)
    }
}
