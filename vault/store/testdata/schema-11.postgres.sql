SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.audit_drop() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF coalesce((SELECT dropped FROM audit_segments WHERE tenant = OLD.tenant AND last_seq >= OLD.seq ORDER BY last_seq LIMIT 1), 0) = 0 THEN
        RAISE EXCEPTION 'audit records are append-only';
    END IF;
    RETURN OLD;
END;
$$;
ALTER FUNCTION public.audit_drop() OWNER TO postgres;
CREATE FUNCTION public.audit_forward() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.tenant <> OLD.tenant OR NEW.seq <= OLD.seq THEN
        RAISE EXCEPTION 'audit records are append-only';
    END IF;
    RETURN NEW;
END;
$$;
ALTER FUNCTION public.audit_forward() OWNER TO postgres;
CREATE FUNCTION public.audit_next() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.seq > 1 AND NOT EXISTS (SELECT 1 FROM audit WHERE tenant = NEW.tenant AND seq = NEW.seq - 1) THEN
        RAISE EXCEPTION 'audit records are append-only' USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NEW;
END;
$$;
ALTER FUNCTION public.audit_next() OWNER TO postgres;
CREATE FUNCTION public.audit_refuse() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'audit records are append-only';
END;
$$;
ALTER FUNCTION public.audit_refuse() OWNER TO postgres;
CREATE FUNCTION public.audit_segment_forward() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF OLD.dropped <> 0 OR NEW.dropped <= 0 OR NEW.tenant <> OLD.tenant OR NEW.first_seq <> OLD.first_seq OR NEW.last_seq <> OLD.last_seq
        OR NEW.prev <> OLD.prev OR NEW.hash <> OLD.hash OR NEW.since <> OLD.since OR NEW.until <> OLD.until OR NEW.note <> OLD.note
        OR EXISTS (SELECT 1 FROM audit_segments WHERE tenant = OLD.tenant AND last_seq < OLD.first_seq AND dropped = 0) THEN
        RAISE EXCEPTION 'audit segments are append-only';
    END IF;
    RETURN NEW;
END;
$$;
ALTER FUNCTION public.audit_segment_forward() OWNER TO postgres;
CREATE FUNCTION public.audit_segment_next() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.dropped <> 0 OR NEW.last_seq < NEW.first_seq
        OR NEW.first_seq <> coalesce((SELECT max(last_seq) FROM audit_segments WHERE tenant = NEW.tenant), 0) + 1
        OR NEW.last_seq >= coalesce((SELECT seq FROM audit_heads WHERE tenant = NEW.tenant), 0)
        OR NOT EXISTS (SELECT 1 FROM audit WHERE tenant = NEW.tenant AND seq = NEW.last_seq AND hash = NEW.hash) THEN
        RAISE EXCEPTION 'audit segments are append-only';
    END IF;
    RETURN NEW;
END;
$$;
ALTER FUNCTION public.audit_segment_next() OWNER TO postgres;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.audit (
    tenant text NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    event text NOT NULL,
    body bytea NOT NULL,
    prev bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT audit_seq_check CHECK ((seq > 0))
);
ALTER TABLE public.audit OWNER TO postgres;
CREATE TABLE public.audit_heads (
    tenant text NOT NULL,
    seq bigint NOT NULL,
    hash bytea NOT NULL
);
ALTER TABLE public.audit_heads OWNER TO postgres;
CREATE TABLE public.audit_segments (
    tenant text NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    prev bytea NOT NULL,
    hash bytea NOT NULL,
    since bigint NOT NULL,
    until bigint NOT NULL,
    note bytea NOT NULL,
    dropped bigint NOT NULL
);
ALTER TABLE public.audit_segments OWNER TO postgres;
CREATE TABLE public.demands (
    person text NOT NULL,
    device text NOT NULL,
    asked bigint NOT NULL,
    since bigint NOT NULL
);
ALTER TABLE public.demands OWNER TO postgres;
CREATE TABLE public.epoch (
    id bigint NOT NULL,
    value bigint NOT NULL,
    CONSTRAINT epoch_id_check CHECK ((id = 1))
);
ALTER TABLE public.epoch OWNER TO postgres;
CREATE TABLE public.grants (
    id text NOT NULL,
    person text NOT NULL,
    tenant text NOT NULL,
    state text NOT NULL,
    account text NOT NULL,
    scopes text NOT NULL,
    sites text NOT NULL,
    issued bigint NOT NULL,
    refreshed bigint NOT NULL,
    used bigint NOT NULL,
    token_expires bigint NOT NULL,
    expires bigint NOT NULL,
    next_refresh bigint NOT NULL,
    ended bigint NOT NULL,
    last_error text NOT NULL,
    version bigint NOT NULL,
    data_key bytea,
    access bytea,
    refresh bytea,
    claim text NOT NULL,
    claim_until bigint NOT NULL,
    intent_at bigint NOT NULL
);
ALTER TABLE public.grants OWNER TO postgres;
CREATE TABLE public.journal (
    device text NOT NULL,
    stream text NOT NULL,
    call text NOT NULL,
    person text NOT NULL,
    tenant text NOT NULL,
    tool text NOT NULL,
    print bytea NOT NULL,
    started bigint NOT NULL,
    result bytea
);
ALTER TABLE public.journal OWNER TO postgres;
CREATE TABLE public.logins (
    id text NOT NULL,
    device text NOT NULL,
    tenant text NOT NULL,
    phase text NOT NULL,
    version bigint NOT NULL,
    created bigint NOT NULL,
    expires bigint NOT NULL,
    ended bigint NOT NULL,
    told bigint NOT NULL,
    link bytea NOT NULL,
    state bytea,
    details text NOT NULL,
    secrets bytea NOT NULL,
    code bytea
);
ALTER TABLE public.logins OWNER TO postgres;
CREATE TABLE public.migration_lock (
    id bigint NOT NULL
);
ALTER TABLE public.migration_lock OWNER TO postgres;
CREATE TABLE public.migrations (
    version bigint NOT NULL,
    name text NOT NULL,
    hash text NOT NULL,
    applied bigint NOT NULL
);
ALTER TABLE public.migrations OWNER TO postgres;
CREATE TABLE public.person_history (
    person text NOT NULL,
    sealed bytea NOT NULL,
    version bigint NOT NULL,
    saved bigint NOT NULL,
    suspended bigint NOT NULL
);
ALTER TABLE public.person_history OWNER TO postgres;
CREATE TABLE public.proofs (
    id text NOT NULL,
    until bigint NOT NULL
);
ALTER TABLE public.proofs OWNER TO postgres;
CREATE TABLE public.sessions (
    id text NOT NULL,
    device text NOT NULL,
    person text NOT NULL,
    tenant text NOT NULL,
    created bigint NOT NULL,
    used bigint NOT NULL,
    idle_until bigint NOT NULL,
    until bigint NOT NULL,
    revoked bigint NOT NULL,
    shown text NOT NULL
);
ALTER TABLE public.sessions OWNER TO postgres;
CREATE TABLE public.signins (
    session text NOT NULL,
    device text NOT NULL,
    person text NOT NULL,
    tenant text NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    sid text NOT NULL,
    said text NOT NULL,
    sealed bytea NOT NULL,
    created bigint NOT NULL,
    due bigint NOT NULL,
    step_up bigint NOT NULL,
    version bigint NOT NULL
);
ALTER TABLE public.signins OWNER TO postgres;
CREATE TABLE public.signouts (
    issuer text NOT NULL,
    subject text NOT NULL,
    sid text NOT NULL,
    issued bigint NOT NULL,
    stored bigint NOT NULL
);
ALTER TABLE public.signouts OWNER TO postgres;
CREATE TABLE public.starts (
    id text NOT NULL,
    login text NOT NULL,
    device text NOT NULL,
    stream text NOT NULL,
    loopback text NOT NULL,
    challenge text NOT NULL,
    created bigint NOT NULL,
    seen bigint NOT NULL,
    no_tab bigint NOT NULL
);
ALTER TABLE public.starts OWNER TO postgres;
CREATE TABLE public.vault_keys (
    purpose text NOT NULL,
    kek text NOT NULL,
    wrapped bytea NOT NULL,
    created bigint NOT NULL
);
ALTER TABLE public.vault_keys OWNER TO postgres;
COPY public.audit (tenant, seq, at, event, body, prev, hash) FROM stdin;
acme	1	1777887000000	one	\\x626f6479206f66206f6e65	\\x	\\x68617368206f66206f6e65
acme	2	1777887000000	two	\\x626f6479206f662074776f	\\x68617368206f66206f6e65	\\x68617368206f662074776f
\.
COPY public.audit_heads (tenant, seq, hash) FROM stdin;
acme	2	\\x68617368206f662074776f
\.
COPY public.audit_segments (tenant, first_seq, last_seq, prev, hash, since, until, note, dropped) FROM stdin;
\.
COPY public.demands (person, device, asked, since) FROM stdin;
\.
COPY public.epoch (id, value) FROM stdin;
1	2
\.
COPY public.grants (id, person, tenant, state, account, scopes, sites, issued, refreshed, used, token_expires, expires, next_refresh, ended, last_error, version, data_key, access, refresh, claim, claim_until, intent_at) FROM stdin;
g_old	p_ada	acme	live	account	["read:page:confluence","offline_access"]	[{"name":"wiki","cloud_id":"c-1","url":"https://acme.atlassian.net"}]	1777887000000	0	1777887000000	1777890600000	1785663000000	1777890300000	0		1	\\x6b6579	\\x616363657373	\\x72656672657368		0	0
g_older	p_bob	acme	revoked	account	["read:page:confluence","offline_access"]	[{"name":"wiki","cloud_id":"c-1","url":"https://acme.atlassian.net"}]	1777887000000	0	1777887000000	1777890600000	1785663000000	0	32472241445000		1	\N	\N	\N		0	0
\.
COPY public.journal (device, stream, call, person, tenant, tool, print, started, result) FROM stdin;
d	st	c_old	p_ada	acme	confluence_create_page	\\x000102	1777887000000	\\x7365616c656420726573756c74
\.
COPY public.logins (id, device, tenant, phase, version, created, expires, ended, told, link, state, details, secrets, code) FROM stdin;
l_old	d_new		open	0	1777887000000	1777887600000	0	0	\\x6c696e6b206f66206c5f6f6c64	\N	{"asker":{"host":"laptop"}}	\\x7365616c6564	\N
\.
COPY public.migration_lock (id) FROM stdin;
1
\.
COPY public.migrations (version, name, hash, applied) FROM stdin;
1	0001_grants.sql	0c7cd628348b49d445102eec14237b3e91e0a1cfaf9c7b1c02be28f9cd93e6f9	1795666156393
2	0002_sessions.sql	dde0584da999c02c2deca4b6d3f6db084743365ca8423e35c2f846e1fa789525	1795666156397
3	0003_logins.sql	77a34f315d8a15675ba2f027ab3ae8c1a3e1597bbdeea0b185495ab2f60f9bc8	1795666156402
4	0004_audit.postgres.sql	1b2355d795b1054b27c5eaf26dab64171e905f54e487d52d7e78d03f513f2dbd	1795666156411
5	0005_journal.sql	4a045aa201996a49c7798927e5d2d0acd1fad8960e2d9af3b87316ee57ec14b8	1795666156413
6	0006_keys.sql	26274130db9d125bb660ac4913e43722ce34f0441ade94b93773fb6d613a2107	1795666156415
7	0007_proofs.postgres.sql	92b87205acc86f07604d5a7919073f942a5c4b94c56bd4b6c91329af16d6b8a2	1795666156416
8	0008_signins.sql	5bea48d74163aac635d2b31613e358e12343fedf76533bddbc5ad107b8a089b5	1795666156418
9	0009_history.sql	db536912fc8fff3c42de22bff5df4a7750c40603ae5e8ba80527b445d0a4fadb	1795666156420
10	0010_segments.postgres.sql	a32945c08311a88c77685daead436a7854825d693f0eb13fdd855eb9be168d4f	1795666156423
11	0011_signouts.sql	aee835979b1c7508c8a64e94e7fc0da49bd39a68e4fb0a7f39059de9eb3f94e6	1795666156427
\.
COPY public.person_history (person, sealed, version, saved, suspended) FROM stdin;
p_ada	\\x7365616c6564	1	1777887000000	0
\.
COPY public.proofs (id, until) FROM stdin;
proof	32472241445000
\.
COPY public.sessions (id, device, person, tenant, created, used, idle_until, until, revoked, shown) FROM stdin;
s_old	d_old	p_ada	acme	1777887000000	1777887000000	32472241445000	32472241445000	0	{"name":"Ada Løvelace","email":"ada@example.com","host":"h\\"'","os":"linux"}
\.
COPY public.signins (session, device, person, tenant, issuer, subject, sid, said, sealed, created, due, step_up, version) FROM stdin;
s_old	d_old	p_ada	acme	https://login.example.com	ada	sid	{"time":"2026-05-04T09:30:00Z","acr":["high"],"amr":["mfa"],"roles":["auditor"],"checked":"2026-05-04T09:30:00Z"}	\\x7365616c6564	1777887000000	32472241445000	0	3
\.
COPY public.signouts (issuer, subject, sid, issued, stored) FROM stdin;
\.
COPY public.starts (id, login, device, stream, loopback, challenge, created, seen, no_tab) FROM stdin;
st_old	l_old	d_new	stream	http://127.0.0.1:1/x	challenge	1777887000000	1777887000000	0
\.
COPY public.vault_keys (purpose, kek, wrapped, created) FROM stdin;
nonce	file:kek#0000abcd	\\x77726170706564	1777887000000
\.
ALTER TABLE ONLY public.audit_heads
    ADD CONSTRAINT audit_heads_pkey PRIMARY KEY (tenant);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (tenant, seq);
ALTER TABLE ONLY public.audit_segments
    ADD CONSTRAINT audit_segments_pkey PRIMARY KEY (tenant, last_seq);
ALTER TABLE ONLY public.demands
    ADD CONSTRAINT demands_pkey PRIMARY KEY (person, device);
ALTER TABLE ONLY public.epoch
    ADD CONSTRAINT epoch_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.journal
    ADD CONSTRAINT journal_pkey PRIMARY KEY (device, stream, call);
ALTER TABLE ONLY public.logins
    ADD CONSTRAINT logins_link_key UNIQUE (link);
ALTER TABLE ONLY public.logins
    ADD CONSTRAINT logins_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.logins
    ADD CONSTRAINT logins_state_key UNIQUE (state);
ALTER TABLE ONLY public.migration_lock
    ADD CONSTRAINT migration_lock_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.person_history
    ADD CONSTRAINT person_history_pkey PRIMARY KEY (person);
ALTER TABLE ONLY public.proofs
    ADD CONSTRAINT proofs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_device_key UNIQUE (device);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.signins
    ADD CONSTRAINT signins_pkey PRIMARY KEY (session);
ALTER TABLE ONLY public.signouts
    ADD CONSTRAINT signouts_pkey PRIMARY KEY (issuer, subject, sid);
ALTER TABLE ONLY public.starts
    ADD CONSTRAINT starts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.vault_keys
    ADD CONSTRAINT vault_keys_pkey PRIMARY KEY (purpose);
CREATE UNIQUE INDEX grants_current ON public.grants USING btree (person, tenant) WHERE (state = ANY (ARRAY['live'::text, 'sign_in_again'::text]));
CREATE INDEX journal_started ON public.journal USING btree (started);
CREATE INDEX logins_device ON public.logins USING btree (device, created);
CREATE INDEX logins_ended ON public.logins USING btree (ended);
CREATE UNIQUE INDEX logins_one ON public.logins USING btree (device) WHERE (ended = 0);
CREATE INDEX person_history_saved ON public.person_history USING btree (saved);
CREATE INDEX proofs_until ON public.proofs USING btree (until);
CREATE INDEX sessions_person ON public.sessions USING btree (person);
CREATE INDEX sessions_until ON public.sessions USING btree (until);
CREATE INDEX signins_due ON public.signins USING btree (due);
CREATE INDEX signins_sid ON public.signins USING btree (issuer, sid);
CREATE INDEX signins_subject ON public.signins USING btree (issuer, subject);
CREATE INDEX signouts_stored ON public.signouts USING btree (stored);
CREATE INDEX starts_login ON public.starts USING btree (login);
CREATE TRIGGER audit_heads_forward BEFORE UPDATE ON public.audit_heads FOR EACH ROW EXECUTE FUNCTION public.audit_forward();
CREATE TRIGGER audit_heads_no_delete BEFORE DELETE ON public.audit_heads FOR EACH ROW EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_heads_no_truncate BEFORE TRUNCATE ON public.audit_heads FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_in_order BEFORE INSERT ON public.audit FOR EACH ROW EXECUTE FUNCTION public.audit_next();
CREATE TRIGGER audit_no_change BEFORE UPDATE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_no_delete BEFORE DELETE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.audit_drop();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_segments_forward BEFORE UPDATE ON public.audit_segments FOR EACH ROW EXECUTE FUNCTION public.audit_segment_forward();
CREATE TRIGGER audit_segments_in_order BEFORE INSERT ON public.audit_segments FOR EACH ROW EXECUTE FUNCTION public.audit_segment_next();
CREATE TRIGGER audit_segments_no_delete BEFORE DELETE ON public.audit_segments FOR EACH ROW EXECUTE FUNCTION public.audit_refuse();
CREATE TRIGGER audit_segments_no_truncate BEFORE TRUNCATE ON public.audit_segments FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse();
ALTER TABLE ONLY public.starts
    ADD CONSTRAINT starts_login_fkey FOREIGN KEY (login) REFERENCES public.logins(id) ON DELETE CASCADE;
