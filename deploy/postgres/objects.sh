#!/bin/sh
# Run once by the image of PostgreSQL, when its folder is still empty: a database and a role for the objects that jobs
# work on. Jobs are given its URL, and it opens nothing else: neither role may even connect to the other's database.
set -eu

password=$(cat /run/secrets/data_password)
psql --set=ON_ERROR_STOP=1 --set=password="$password" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE errand_data LOGIN PASSWORD :'password';
CREATE DATABASE errand_data OWNER errand_data;
REVOKE ALL ON DATABASE errand_data FROM PUBLIC;
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SQL
