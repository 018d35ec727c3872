-- SPDX-License-Identifier: Apache-2.0
--
-- A role for Grafana (or any other reader) that sees the views of the schema grafana and nothing else.
-- Run it with psql as an administrator of the database, after `starling migrate`:
--
--     psql --set=password='…' --file=role.sql DATABASE
--
-- Further settings: --set=role=NAME (starling_grafana), --set=timeout=INTERVAL (30s). Without a
-- password the one that the role has stays. It may be run again at any time.

\set ON_ERROR_STOP on
\if :{?role}
\else
    \set role starling_grafana
\endif
\if :{?timeout}
\else
    \set timeout 30s
\endif

BEGIN;

SELECT format('CREATE ROLE %I', :'role') WHERE to_regrole(quote_ident(:'role')) IS NULL
\gexec

ALTER ROLE :"role" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
    CONNECTION LIMIT 20;
\if :{?password}
    ALTER ROLE :"role" PASSWORD :'password';
\endif

-- Grafana does not look at the SQL that it is given. What protects the database are the grants
-- below; these keep an honest query from doing harm.
ALTER ROLE :"role" SET default_transaction_read_only = on;
ALTER ROLE :"role" SET statement_timeout = :'timeout';
ALTER ROLE :"role" SET lock_timeout = '5s';
ALTER ROLE :"role" SET idle_in_transaction_session_timeout = '60s';
-- Compiling a wide view takes longer than running it.
ALTER ROLE :"role" SET jit = off;

SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role')
\gexec
GRANT USAGE ON SCHEMA grafana TO :"role";
GRANT SELECT ON ALL TABLES IN SCHEMA grafana TO :"role";

-- Views that later versions of Starling add are the owner's of the schema.
SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA grafana GRANT SELECT ON TABLES TO %I',
    pg_get_userbyid(nspowner), :'role')
FROM pg_namespace WHERE nspname = 'grafana'
\gexec

COMMIT;
