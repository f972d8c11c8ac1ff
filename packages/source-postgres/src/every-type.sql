CREATE EXTENSION IF NOT EXISTS plpgsql;
CREATE SCHEMA "odd ""schema";
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine"');
CREATE TYPE pair AS (a integer, b text);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TABLE kinds (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, s smallint, n numeric(38, 10), f double precision, r real, m money, b boolean, c char(5), v varchar(20), t text,
  bytes bytea, d date, tm time, tz timestamptz, ts timestamp, i interval, u uuid, j json, jb jsonb, x xml, a integer[], aa text[][], mo mood, p pair, po positive,
  rg int4range, mr datemultirange, ip inet, ci cidr, ma macaddr, bi bit(5), vb bit varying(10), pt point, po2 polygon, tv tsvector, tq tsquery, l pg_lsn,
  g integer GENERATED ALWAYS AS (s * 2) STORED
);
INSERT INTO kinds (s, n, f, r, m, b, c, v, t, bytes, d, tm, tz, ts, i, u, j, jb, x, a, aa, mo, p, po, rg, mr, ip, ci, ma, bi, vb, pt, po2, tv, tq, l) VALUES
  (1, 12345678901234567890.0123456789, 0.1, 'NaN', 12.5, true, 'é', E'tab\t', E'line\nback\\slash \\. ''quote'' "dbl" – ünï', '\x00ff0a5c', '2000-02-29', '23:59:59.999999',
   '2026-03-29 01:30:00+01', '4713-01-01 00:00:00 BC', '1 mon -2 days 03:04:05.678', '11111111-2222-3333-4444-555555555555', '{"a": [1, 2]}', '{"b": null}', '<x a="1">&amp;</x>',
   '{1,NULL,3}', '{{a,b},{"c,d","e\"f"}}', 'it''s "fine"', '(1,"x,y")', 5, '[1,10)', '{[2020-01-01,2021-01-01)}', '::1', '10.0.0.0/8', '08:00:2b:01:02:03', B'10101', B'1',
   '(1,2)', '((0,0),(1,1),(1,0))', 'a fat cat', 'fat & cat', '16/B374D848'),
  (NULL, 'NaN', 'Infinity', 1e-37, NULL, NULL, NULL, '', '\.', '', 'infinity', NULL, '-infinity', NULL, NULL, NULL, NULL, NULL, NULL, '{}', NULL, NULL, NULL, NULL, 'empty', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE parts (id integer, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE parts_2025 PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT i, '2025-01-01'::date + i FROM generate_series(1, 800) i;
CREATE TABLE "odd ""schema"."Table é" ("a b" integer REFERENCES kinds (id) DEFERRABLE, "select" text COLLATE "C");
INSERT INTO "odd ""schema"."Table é" VALUES (1, 'x'), (2, NULL);
CREATE SEQUENCE counted START 7 INCREMENT 3;
SELECT nextval('counted');
CREATE VIEW seen AS SELECT id, t FROM kinds;
CREATE MATERIALIZED VIEW kept AS SELECT count(*) AS n FROM parts;
CREATE INDEX by_text ON kinds USING gin (tv) WHERE s > 0;
CREATE TABLE log (what text);
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO log VALUES ('new ' || NEW.id); RETURN NEW; END $f$;
CREATE TRIGGER note AFTER INSERT ON parts FOR EACH ROW EXECUTE FUNCTION noted();
CREATE PROCEDURE nothing() LANGUAGE sql AS 'SELECT 1';
CREATE RULE no_delete AS ON DELETE TO log DO INSTEAD NOTHING;
COMMENT ON TABLE kinds IS 'it''s a comment';
SELECT lo_from_bytea(4711, '\xdeadbeef00');
CREATE PUBLICATION everything FOR TABLE kinds;
