-- Run once, by the database container, over an empty volume: a role and a database of leadline's own.
\set password `cat /run/secrets/leadline_password`
CREATE ROLE leadline LOGIN PASSWORD :'password';
CREATE DATABASE leadline OWNER leadline ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE leadline FROM PUBLIC;
