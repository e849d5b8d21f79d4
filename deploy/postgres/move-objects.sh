#!/bin/sh
# Once, where objects are still in the schema errand_data of the portal's database: copies them into the database of
# their own, where they belong to its role. Web, workers and scheduler are stopped meanwhile. What was copied stays.
set -eu

: "${SECRETS:=/run/secrets}"
PGPASSWORD=$(cat "$SECRETS/postgres_password")
export PGPASSWORD
tables() { psql --quiet --tuples-only --no-align --dbname "$1" --command "SELECT count(*) FROM pg_tables WHERE schemaname = '$2'"; }

if [ "$(tables "$PGDATABASE" errand_data)" = 0 ]; then
    echo "There is nothing to move: $PGDATABASE has no tables in a schema errand_data." >&2
    exit 0
fi
if [ "$(tables errand_data public)" != 0 ]; then
    echo "The database errand_data has tables already. Nothing was moved." >&2
    exit 1
fi
pg_dump --schema=errand_data --no-owner --no-privileges --file=/tmp/objects.sql
{
    echo 'SET ROLE errand_data; DROP SCHEMA public;'
    cat /tmp/objects.sql
    echo 'ALTER SCHEMA errand_data RENAME TO public;'
} | psql --quiet --set=ON_ERROR_STOP=1 --single-transaction --dbname errand_data >/dev/null
rm /tmp/objects.sql
echo "The objects are in the database errand_data now." >&2
