#!/bin/sh
# At each start of the containers, before the tables are made: a database and a role for the objects that jobs work on.
# Jobs are given its URL, and it opens nothing else: neither role may even connect to the other's database. What is
# there already stays, but for the password, which is that of the secret.
set -eu

: "${SECRETS:=/run/secrets}"
PGPASSWORD=$(cat "$SECRETS/postgres_password")
export PGPASSWORD
psql --quiet --set=ON_ERROR_STOP=1 --set=password="$(cat "$SECRETS/data_password")" <<'SQL'
SELECT 'CREATE ROLE errand_data' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'errand_data') \gexec
ALTER ROLE errand_data LOGIN PASSWORD :'password';
SELECT 'CREATE DATABASE errand_data OWNER errand_data'
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'errand_data') \gexec
REVOKE ALL ON DATABASE errand_data FROM PUBLIC;
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SQL
