package store_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
	"github.com/coatcheck-mcp/coatcheck/vault/anomaly/watch"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/consent"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/journal"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/company"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

var update = flag.Bool("update", false, "make the database of the present schema in testdata, if it is not there")

// farOff is when nobody runs these tests any more.
var farOff = time.Date(2999, 1, 2, 3, 4, 5, 0, time.UTC)

// keepsake is what the databases in testdata hold: one of everything. What is
// added to a noun later is empty in the older ones.
type keepsake struct {
	Session  session.Session
	Live     grant.Row
	Revoked  grant.Grant
	Login    consent.Login
	Start    consent.Start
	VaultKey seal.VaultKey
	Done     journal.Entry
	Records  []audit.Record
}

func theKeepsake() keepsake {
	k := keepsake{
		Session: session.Session{
			ID: "s_old", Device: "d_old", Person: "p_ada", Tenant: "acme", Created: consentDay, Used: consentDay, IdleUntil: farOff, Until: farOff,
			Shown: session.Shown{Name: "Ada Løvelace", Email: "ada@example.com", Host: `h"'`, OS: "linux"},
		},
		Live:     grantRow("g_old", "p_ada"),
		Revoked:  grantRow("g_older", "p_bob").Grant,
		Login:    newLogin("l_old", "d_new", consentDay),
		VaultKey: seal.VaultKey{Purpose: "nonce", KEK: "file:kek#0000abcd", Wrapped: []byte("wrapped"), Created: consentDay},
		Done:     entry("c_old"),
	}
	k.Start = consent.Start{ID: "st_old", Login: k.Login.ID, Device: "d_new", Stream: "stream", Loopback: "http://127.0.0.1:1/x", Challenge: "challenge", Created: consentDay, Seen: consentDay}
	k.Done.Started, k.Done.Result = consentDay, []byte("sealed result")
	prev := []byte(nil)
	for i, event := range []string{"one", "two"} {
		r := audit.Record{Tenant: "acme", Head: audit.Head{Seq: int64(i + 1), Hash: []byte("hash of " + event)}, Time: consentDay, Event: event, Body: []byte("body of " + event), Prev: prev}
		k.Records, prev = append(k.Records, r), r.Hash
	}
	return k
}

// theSignIn is there since schema 8.
func theSignIn() company.Row {
	return company.Row{
		Session: "s_old", Device: "d_old", Person: "p_ada", Tenant: "acme", Issuer: "https://login.example.com", Subject: "ada", SID: "sid",
		Said:   company.Said{Time: consentDay, ACR: []string{"high"}, AMR: []string{"mfa"}, Roles: []identity.Role{identity.Auditor}, Checked: consentDay},
		Sealed: []byte("sealed"), Created: consentDay, Due: farOff, Version: 3,
	}
}

// theHistory is there since schema 9.
func theHistory() watch.Row { return watch.Row{Person: "p_ada", Sealed: []byte("sealed"), Version: 1} }

// put stores the keepsake.
func (k keepsake) put(t *testing.T, db *store.DB) {
	t.Helper()
	ctx := t.Context()
	revoked := grantRow("g_older", "p_bob")
	_, began := db.LoginBegin(ctx, k.Login, 1)
	_, kept := db.VaultKeyCreate(ctx, k.VaultKey)
	fresh := k.Done
	fresh.Result = nil
	_, _, started := db.JournalStart(ctx, fresh, false)
	err := errors.Join(db.SessionStart(ctx, k.Session), db.SignIns().SignInPut(ctx, theSignIn()), began, kept, started, db.StartSave(ctx, k.Start),
		db.JournalFinish(ctx, k.Done.Key, k.Done.Started, k.Done.Result, func(context.Context) {}), db.Remember(ctx, "proof", farOff),
		db.HistorySave(ctx, watch.Row{Person: "p_ada", Sealed: []byte("sealed")}, consentDay))
	if err != nil {
		t.Fatal(err)
	}
	putGrant(t, db, k.Live)
	putGrant(t, db, revoked)
	if err := db.GrantRevoke(ctx, revoked.ID, farOff); err != nil {
		t.Fatal(err)
	}
	for _, r := range k.Records {
		if err := db.AuditAppend(ctx, r.Tenant, func(audit.Head) audit.Record { return r }); err != nil {
			t.Fatal(err)
		}
	}
}

// check wants all of it to be there, and the store to be of use.
func (k keepsake) check(t *testing.T, db *store.DB) {
	t.Helper()
	ctx := t.Context()
	var got keepsake
	var errs [7]error
	got.Session, errs[0] = db.SessionCurrent(ctx, k.Session.Device)
	got.Live, errs[1] = db.GrantFind(ctx, k.Live.Person, k.Live.Tenant)
	got.Login, errs[2] = db.LoginFind(ctx, consent.Find{Link: k.Login.Link})
	got.Start, errs[3] = db.StartGet(ctx, k.Start.ID)
	got.VaultKey, errs[4] = db.VaultKey(ctx, k.VaultKey.Purpose)
	got.Records, errs[5] = db.AuditRead(ctx, "acme", 0, 10)
	got.Done, _, errs[6] = db.JournalStart(ctx, journal.Entry{Key: k.Done.Key, Started: farOff}, false)
	if err := errors.Join(errs[:]...); err != nil {
		t.Error(err)
	}
	row, err := db.GrantGet(ctx, "g_older")
	if got.Revoked = row.Grant; err != nil || row.State != grant.Revoked || row.Key != nil || row.Access != nil {
		t.Errorf("the revoked grant is %+v, %v", row, err)
	}
	k.Revoked.State, k.Revoked.Ended, k.Revoked.NextRefresh = grant.Revoked, farOff, time.Time{}
	if diff := cmp.Diff(k, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("it came back otherwise:\n%s", diff)
	}
	if err := db.Remember(ctx, "proof", farOff); !errors.Is(err, dpop.ErrReplayed) {
		t.Errorf("a proof that was used: %v", err)
	}
	before := epochOf(t, db)
	if err := db.SessionRevoke(ctx, k.Session.ID, farOff); err != nil || epochOf(t, db) == before {
		t.Errorf("revoking: %v, epoch still %d", err, before)
	}
	appendRecord(t, db, "acme", "three")
	if err := db.Ready(ctx); err != nil {
		t.Error(err)
	}
}

// TestOlderDatabases brings each database of testdata up to date and reads it,
// for ever. One of the present schema must be among them.
func TestOlderDatabases(t *testing.T) {
	_, present := openAt(t, "sqlite::memory:").Version()
	for engine, test := range map[string]struct {
		ext  string
		make func(t *testing.T) []byte
		open func(t *testing.T, data []byte) *store.DB
	}{
		"sqlite":   {".db", makeFile, openFile},
		"postgres": {".postgres.sql", makeDump, openDump},
	} {
		t.Run(engine, func(t *testing.T) {
			newest := filepath.Join("testdata", fmt.Sprintf("schema-%d%s", present, test.ext))
			if _, err := os.Stat(newest); errors.Is(err, fs.ErrNotExist) && *update {
				if err := os.WriteFile(newest, test.make(t), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			all, _ := filepath.Glob(filepath.Join("testdata", "schema-*"+test.ext))
			found := false
			for _, name := range all {
				found = found || name == newest
				t.Run(filepath.Base(name), func(t *testing.T) {
					data, err := os.ReadFile(name)
					if err != nil {
						t.Fatal(err)
					}
					db := test.open(t, data)
					from, to := db.Version()
					if want := fmt.Sprintf("schema-%d%s", from, test.ext); want != filepath.Base(name) || to != present {
						t.Errorf("schema %d became %d, want %d", from, to, present)
					}
					theKeepsake().check(t, db)
					if from < 8 {
						return
					}
					if got, err := db.SignIns().SignInGet(t.Context(), "s_old"); err != nil || cmp.Diff(theSignIn(), got) != "" {
						t.Errorf("the company sign-in came back otherwise: %v\n%s", err, cmp.Diff(theSignIn(), got))
					}
					if from < 9 {
						return
					}
					if got, err := db.HistoryGet(t.Context(), "p_ada"); err != nil || cmp.Diff(theHistory(), got) != "" {
						t.Errorf("the history came back otherwise: %v\n%s", err, cmp.Diff(theHistory(), got))
					}
				})
			}
			if !found {
				t.Errorf("%s is missing: run this test with -update and keep the file for ever", newest)
			}
		})
	}
}

func makeFile(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "vault.db")
	db, err := store.Open(t.Context(), "sqlite:"+file, "")
	if err != nil {
		t.Fatal(err)
	}
	theKeepsake().put(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func openFile(t *testing.T, data []byte) *store.DB {
	t.Helper()
	file := filepath.Join(t.TempDir(), "vault.db")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return openAt(t, "sqlite:"+file)
}

// makeDump returns what pg_dump says, without the lines that only psql of the
// same release understands.
func makeDump(t *testing.T) []byte {
	t.Helper()
	url := testenv.Postgres(t)
	theKeepsake().put(t, openAt(t, url))
	var dump bytes.Buffer
	for line := range strings.Lines(string(testenv.SharedPostgres().Dump(t, url))) {
		if !strings.HasPrefix(line, `\restrict`) && !strings.HasPrefix(line, `\unrestrict`) && !strings.HasPrefix(line, "--") && line != "\n" {
			dump.WriteString(line)
		}
	}
	return dump.Bytes()
}

func openDump(t *testing.T, data []byte) *store.DB {
	t.Helper()
	url := testenv.Postgres(t)
	testenv.SharedPostgres().Restore(t, url, data)
	return openAt(t, url)
}
