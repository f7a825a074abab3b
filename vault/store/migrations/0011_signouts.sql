-- Demands for a fresh sign-in, whatever the tool, that stand until the person
-- has answered: see vault/signin/company. They outlive sessions.
CREATE TABLE demands (
    person TEXT NOT NULL,
    device TEXT NOT NULL, -- where something unusual was done
    asked  BIGINT NOT NULL,
    since  BIGINT NOT NULL, -- only a sign-in after that is an answer
    PRIMARY KEY (person, device)
);

-- Orders of the company's identity provider to end sessions, for as long as a
-- login may take that they overtake.
CREATE TABLE signouts (
    issuer  TEXT NOT NULL,
    subject TEXT NOT NULL, -- '' for anybody
    sid     TEXT NOT NULL, -- '' for any of the person's
    issued  BIGINT NOT NULL, -- the provider's own time
    stored  BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject, sid)
);

CREATE INDEX signouts_stored ON signouts (stored);
