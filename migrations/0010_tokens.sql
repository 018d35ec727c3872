-- SPDX-License-Identifier: Apache-2.0
-- Who may come in: tokens, and names of client certificates.
--
-- Daemons keep the whole list in memory. They ask for the stamp every second or two, which is one small
-- row, and read the list anew when it has changed, by whatever hand.

CREATE TABLE otel_tokens (
    token_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 200 AND name NOT LIKE 'stl\_%'),
    prefix text UNIQUE CHECK (octet_length(prefix) = 12),
    hash bytea UNIQUE CHECK (octet_length(hash) = 32),
    certificate_name text CHECK (octet_length(certificate_name) BETWEEN 1 AND 255),
    scopes text[] NOT NULL CHECK (scopes <@ ARRAY['ingest', 'read', 'admin'] AND cardinality(scopes) > 0),
    tenant text CHECK (octet_length(tenant) BETWEEN 1 AND 200),
    items_per_second bigint CHECK (items_per_second BETWEEN 1 AND 1000000000000),
    bytes_per_second bigint CHECK (bytes_per_second BETWEEN 1 AND 1000000000000),
    created_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(created_at)),
    expires_at timestamptz CHECK (expires_at BETWEEN '1970-01-01 00:00:00+00' AND '2200-01-01 00:00:00+00'),
    revoked_at timestamptz CHECK (isfinite(revoked_at)),
    last_used_at timestamptz CHECK (isfinite(last_used_at)),
    CHECK ((hash IS NULL) = (prefix IS NULL) AND (hash IS NULL) <> (certificate_name IS NULL))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX otel_tokens_name ON otel_tokens (name) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX otel_tokens_certificate ON otel_tokens (certificate_name) WHERE revoked_at IS NULL;
COMMENT ON TABLE otel_tokens IS
    'Who may come in, see starling token. At most 10,000 that are not revoked';
COMMENT ON COLUMN otel_tokens.name IS 'For people; one that is not revoked has it alone';
COMMENT ON COLUMN otel_tokens.prefix IS 'The first 12 characters of the token, which may be shown';
COMMENT ON COLUMN otel_tokens.hash IS
    'SHA-256 of the whole token. It holds 256 random bits, so that nobody finds it by trying, however fast the hash is';
COMMENT ON COLUMN otel_tokens.certificate_name IS
    'In the place of a token: a name out of a client certificate that listen.tls verifies';
COMMENT ON COLUMN otel_tokens.scopes IS 'ingest, read, admin (which includes read)';
COMMENT ON COLUMN otel_tokens.tenant IS
    'Put on every resource as retention.tenant_attribute, whatever the client says; NULL: the client says it';
COMMENT ON COLUMN otel_tokens.items_per_second IS 'Spans, log records and data points that each daemon takes; NULL: no limit';
COMMENT ON COLUMN otel_tokens.bytes_per_second IS 'Bytes of requests, decompressed, that each daemon takes; NULL: no limit';
COMMENT ON COLUMN otel_tokens.expires_at IS 'NULL: never';
COMMENT ON COLUMN otel_tokens.revoked_at IS 'NULL: it counts';
COMMENT ON COLUMN otel_tokens.last_used_at IS 'To within about a minute';

CREATE TABLE otel_token_changes (
    is_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_only_row),
    stamp bigint NOT NULL
);
INSERT INTO otel_token_changes (stamp) VALUES (1);
COMMENT ON TABLE otel_token_changes IS 'One row: whether a daemon has to read otel_tokens anew';
COMMENT ON COLUMN otel_token_changes.stamp IS 'Grows in every transaction that changes otel_tokens, but for last_used_at';

CREATE FUNCTION otel_note_token_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE otel_token_changes SET stamp = stamp + 1;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION otel_note_token_change() IS 'Raises the stamp in otel_token_changes';

CREATE TRIGGER otel_tokens_changed
    AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF
        name, prefix, hash, certificate_name, scopes, tenant, items_per_second, bytes_per_second, created_at,
        expires_at, revoked_at
    ON otel_tokens FOR EACH STATEMENT EXECUTE FUNCTION otel_note_token_change();
