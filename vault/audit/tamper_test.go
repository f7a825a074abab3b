package audit_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
)

// forger is somebody with the whole database, but not the vault's key.
type forger struct {
	testing.TB
	db *sql.DB
}

// forge opens the rig's database and takes away what guards it.
func (r *rig) forge(t testing.TB) forger {
	t.Helper()
	driver, address, guards := "pgx", r.url, []string{
		"ALTER TABLE audit DISABLE TRIGGER USER", "ALTER TABLE audit_heads DISABLE TRIGGER USER", "ALTER TABLE audit DROP CONSTRAINT audit_seq_check",
	}
	if file, ok := strings.CutPrefix(r.url, "sqlite:"); ok {
		driver, address, guards = "sqlite", file+"?_pragma=busy_timeout(5000)&_pragma=ignore_check_constraints(1)", []string{
			"DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete", "DROP TRIGGER audit_in_order", "DROP TRIGGER audit_heads_forward",
			"DROP TRIGGER audit_heads_no_delete", "DROP TRIGGER audit_heads_in_order",
		}
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	f := forger{t, db}
	for _, guard := range guards {
		f.exec(guard)
	}
	return f
}

func (f forger) exec(statement string, args ...any) {
	f.Helper()
	if _, err := f.db.ExecContext(f.Context(), statement, args...); err != nil {
		f.Fatalf("%s: %v", statement, err)
	}
}

// flip changes one bit of a column of acme's record 5.
func (f forger) flip(column string) {
	f.Helper()
	var value []byte
	if err := f.db.QueryRowContext(f.Context(), "SELECT "+column+" FROM audit WHERE tenant = 'acme' AND seq = 5").Scan(&value); err != nil {
		f.Fatal(err)
	}
	value[len(value)/2] ^= 1
	f.exec("UPDATE audit SET "+column+" = $1 WHERE tenant = 'acme' AND seq = 5", value)
}

// move changes the numbers from a record on.
func (f forger) move(from, by int) {
	f.Helper()
	f.exec("UPDATE audit SET seq = seq + 1000 WHERE tenant = 'acme' AND seq >= $1", from)
	f.exec("UPDATE audit SET seq = seq - 1000 + $1 WHERE tenant = 'acme' AND seq > 1000", by)
}

// head moves the end of the chain to a record that is there.
func (f forger) head(seq int) {
	f.Helper()
	f.exec("UPDATE audit_heads SET seq = $1, hash = (SELECT hash FROM audit WHERE tenant = 'acme' AND seq = $1) WHERE tenant = 'acme'", seq)
}

// rewrite replaces acme's chain by another that is sound in itself: records
// before a number stay as they are, and all later ones are hashed anew.
func (f forger) rewrite(r *rig, from int64) {
	f.Helper()
	other := newRig(f.TB)
	old, err := r.List(f.Context(), "acme", 0, 0)
	if err != nil {
		f.Fatal(err)
	}
	for _, record := range old {
		e, err := record.Entry()
		if err != nil {
			f.Fatal(err)
		}
		if e.Tenant = "acme"; record.Seq >= from {
			e.Person = "p_mallory"
		}
		if err := other.Record(f.Context(), e); err != nil {
			f.Fatal(err)
		}
	}
	fresh, err := other.List(f.Context(), "acme", 0, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.exec("DELETE FROM audit WHERE tenant = 'acme'")
	for _, r := range fresh {
		f.exec("INSERT INTO audit (tenant, seq, at, event, body, prev, hash) VALUES ('acme', $1, $2, $3, $4, $5, $6)",
			r.Seq, r.Time.UnixMilli(), r.Event, r.Body, append([]byte{}, r.Prev...), r.Hash)
	}
	f.head(len(fresh))
}

const (
	insertCopy = "INSERT INTO audit (tenant, seq, at, event, body, prev, hash) SELECT tenant, 0 + $1, at, event, body, prev, hash FROM audit WHERE tenant = 'acme' AND seq = $2"
	deleteFrom = "DELETE FROM audit WHERE tenant = 'acme' AND seq >= $1"
	deleteTo   = "DELETE FROM audit WHERE tenant = 'acme' AND seq <= $1"
)

// tampering is what can be done to a chain of 10 records, of which 4 and 8 are
// signed, and what Verify says of it: the first lines, in order.
var tampering = []struct {
	name   string
	tamper func(forger, *rig)
	want   []string
}{
	{"nothing", func(forger, *rig) {}, nil},
	{"a bit of the body", func(f forger, _ *rig) { f.flip("body") }, []string{`"acme", record 5: its content does not match`}},
	{"a bit of the hash", func(f forger, _ *rig) { f.flip("hash") }, []string{"record 5: its content does not match", "record 6: it does not follow"}},
	{"a bit of the hash before", func(f forger, _ *rig) { f.flip("prev") }, []string{"record 5: its content does not match"}},
	{"the time beside the body", func(f forger, _ *rig) {
		f.exec("UPDATE audit SET at = at + 1 WHERE tenant = 'acme' AND seq = 5")
	}, []string{"record 5: its tenant, event or time"}},
	{"the event beside the body", func(f forger, _ *rig) {
		f.exec("UPDATE audit SET event = 'nothing' WHERE tenant = 'acme' AND seq = 5")
	}, []string{"record 5: its tenant, event or time"}},
	{"deleted at the start", func(f forger, _ *rig) { f.exec(deleteTo, 2) }, []string{"record 1: it is missing, and so is what follows, to record 2"}},
	{"deleted in the middle", func(f forger, _ *rig) {
		f.exec("DELETE FROM audit WHERE tenant = 'acme' AND seq = 5")
	}, []string{"record 5: it is missing"}},
	{"deleted in the middle, and the others moved up", func(f forger, _ *rig) {
		f.exec("DELETE FROM audit WHERE tenant = 'acme' AND seq = 5")
		f.move(6, -1)
		f.head(9)
	}, []string{"record 5: its content does not match", "record 6: its content does not match"}},
	{"deleted at the end", func(f forger, _ *rig) { f.exec(deleteFrom, 9) }, []string{"record 9: it and what follows is missing, to record 10"}},
	{"inserted", func(f forger, _ *rig) {
		f.move(5, 1)
		f.exec(insertCopy, 5, 2)
		f.head(11)
	}, []string{"record 5: its content does not match", "record 6: its content does not match"}},
	{"inserted before the first", func(f forger, _ *rig) { f.exec(insertCopy, 0, 1) }, []string{"record 0: a chain begins with record 1", "record 1: it does not follow"}},
	{"added at the end", func(f forger, _ *rig) { f.exec(insertCopy, 11, 10) }, []string{"record 11: its content does not match"}},
	{"moved far away", func(f forger, _ *rig) {
		f.exec("UPDATE audit SET seq = 4000000000000000000 WHERE tenant = 'acme' AND seq = 10")
		f.exec("UPDATE audit_heads SET seq = 4000000000000000000 WHERE tenant = 'acme'")
	}, []string{"record 10: it is missing, and so is what follows, to record 3999999999999999999"}},
	{"an end that is nowhere", func(f forger, _ *rig) {
		f.exec("UPDATE audit_heads SET seq = 9223372036854775807 WHERE tenant = 'acme'")
	}, []string{"record 11: it and what follows is missing, to record 9223372036854775807"}},
	{"two swapped", func(f forger, _ *rig) {
		f.exec("UPDATE audit SET seq = 1000 + seq WHERE tenant = 'acme' AND seq IN (4, 5)")
		f.exec("UPDATE audit SET seq = 1009 - seq WHERE tenant = 'acme' AND seq > 1000")
	}, []string{"record 4: its content does not match"}},
	{"the same twice", func(f forger, _ *rig) {
		f.exec("DELETE FROM audit WHERE tenant = 'acme' AND seq = 5")
		f.exec(insertCopy, 5, 6)
	}, []string{"record 5: its content does not match", "record 6: it does not follow"}},
	{"one of another tenant", func(f forger, _ *rig) {
		f.exec("INSERT INTO audit (tenant, seq, at, event, body, prev, hash) SELECT 'other', seq, at, event, body, prev, hash FROM audit WHERE tenant = 'acme' AND seq = 1")
	}, []string{`"other", record 1: its content does not match`}},
	{"cut off, and the end moved back", func(f forger, _ *rig) {
		f.exec(deleteFrom, 7)
		f.head(6)
	}, []string{"record 7: it and what follows is missing, to record 8, which the checkpoint in line 13 signed"}},
	{"a chain gone", func(f forger, _ *rig) {
		f.exec("DELETE FROM audit WHERE tenant = 'acme'")
	}, []string{"record 1: it and what follows is missing, to record 10"}},
	{"a chain gone with its end", func(f forger, _ *rig) {
		f.exec("DELETE FROM audit WHERE tenant = 'acme'")
		f.exec("DELETE FROM audit_heads WHERE tenant = 'acme'")
	}, []string{"record 1: it and what follows is missing, to record 8, which the checkpoint in line 13 signed"}},
	{"hashed anew from the middle", func(f forger, r *rig) { f.rewrite(r, 6) },
		[]string{"record 8: it is not the record that the checkpoint in line 13 signed: something was changed from record 5 on"}},
	{"hashed anew altogether", func(f forger, r *rig) { f.rewrite(r, 1) },
		[]string{"record 4: it is not the record that the checkpoint in line 1 signed: something was changed from record 1 on"}},
}

// TestTampering changes the database in every way that matters.
func TestTampering(t *testing.T) {
	for engine, address := range engines {
		t.Run(engine, func(t *testing.T) {
			for _, test := range tampering {
				t.Run(test.name, func(t *testing.T) {
					r := newRigOn(t, address(t))
					n := newNotary(t, r)
					r.fill(t, "acme", 4)
					n.round(t)
					r.fill(t, "", 3)
					r.fill(t, "acme", 4)
					n.round(t)
					r.fill(t, "acme", 2)
					test.tamper(r.forge(t), r)
					_, err := r.Verify(t.Context(), n.checkpoints(t)...)
					expect(t, err, test.want)
				})
			}
		})
	}
}

// expect compares the lines of what Verify found.
func expect(t *testing.T, err error, want []string) {
	t.Helper()
	var got []string
	if err != nil {
		got = strings.Split(err.Error(), "\n")
	}
	if len(got) < len(want) || len(want) == 0 && err != nil {
		t.Fatalf("Verify = %v, want %q", err, want)
	}
	for i, line := range want {
		if !strings.Contains(got[i], line) {
			t.Errorf("found %q, want %q", got[i], line)
		}
	}
	if broken := (*audit.BrokenError)(nil); err != nil && !errors.As(err, &broken) {
		t.Errorf("Verify = %T", err)
	}
}

func TestAForgedChainIsFoundByItsEnd(t *testing.T) {
	r := newRig(t)
	r.fill(t, "acme", 3)
	f := r.forge(t)
	var seq int64
	var hash []byte
	if err := f.db.QueryRowContext(t.Context(), "SELECT seq, hash FROM audit_heads").Scan(&seq, &hash); err != nil {
		t.Fatal(err)
	}
	f.rewrite(r, 1)
	f.exec("UPDATE audit_heads SET seq = $1, hash = $2", seq, hash) // forgotten
	_, err := r.Verify(t.Context())
	expect(t, err, []string{"record 3: it is not the record that was stored last"})
}

func TestALongBrokenChainIsNotReportedForEver(t *testing.T) {
	r := newRig(t)
	r.fill(t, "acme", 40)
	r.forge(t).exec("UPDATE audit SET event = 'x'")
	chains, err := r.Verify(t.Context())
	if n := strings.Count(fmt.Sprint(err), "\n") + 1; n != 20 || chains[0].Broken != 40 {
		t.Errorf("%d lines, %+v", n, chains)
	}
}

// TestGapsInALongChain has some within and some over the stretches in which a
// chain is read.
func TestGapsInALongChain(t *testing.T) {
	for engine, address := range engines {
		t.Run(engine, func(t *testing.T) {
			r := newRigOn(t, address(t))
			s := &still{}
			log := audit.New(audit.Config{Sink: s})
			for range 9000 {
				if err := log.Record(t.Context(), audit.Entry{Event: "call", Outcome: "ok", Tenant: "acme"}); err != nil {
					t.Fatal(err)
				}
			}
			f := r.put(t, s.list)
			if chains, err := r.Verify(t.Context()); err != nil || chains[0].Records != 9000 {
				t.Fatalf("Verify = %+v, %v", chains, err)
			}
			f.exec("DELETE FROM audit WHERE seq IN (1, 1000, 1001, 2500) OR seq BETWEEN 3000 AND 8500 OR seq = 9000")
			chains, err := r.Verify(t.Context())
			expect(t, err, []string{
				"record 1: it is missing, and so is what follows, to record 1", "record 1000: it is missing, and so is what follows, to record 1001",
				"record 2500: it is missing", "record 3000: it is missing, and so is what follows, to record 8500", "record 9000: it and what follows is missing",
			})
			if chains[0].Records != 9000-4-5501-1 {
				t.Errorf("Verify read %d records", chains[0].Records)
			}
		})
	}
}

// TestWhatIsNotInTheHashIsInTheBody: somebody who hashes a chain anew cannot
// show one time, event or tenant in the columns and another in the body.
func TestWhatIsNotInTheHashIsInTheBody(t *testing.T) {
	for name, entry := range map[string]audit.Entry{
		"plain":       {Event: "call", Outcome: "ok", Tenant: "acme"},
		"own":         {Event: "call", Outcome: "ok"},
		"quoted":      {Event: `a "call" é`, Outcome: `o"k\`, Tenant: "acme"},
		"no outcome":  {Event: "call", Tenant: "acme"},
		"odd tenant":  {Event: "call", Outcome: "ok", Tenant: `ac"me`},
		"other whole": {Event: "call", Outcome: "ok", Tenant: "acme", Detail: `","tenant":"other`},
	} {
		for column, value := range map[string]any{"": nil, "at": 12345, "event": "other", "event quoted": `a "call" e`} {
			t.Run(name+" "+column, func(t *testing.T) {
				r := newRig(t)
				if err := r.Record(t.Context(), entry); err != nil {
					t.Fatal(err)
				}
				var want []string
				if column != "" {
					name, _, _ := strings.Cut(column, " ")
					r.forge(t).exec("UPDATE audit SET "+name+" = $1", value)
					want = []string{"record 1: its tenant, event or time"}
				}
				_, err := r.Verify(t.Context())
				expect(t, err, want)
			})
		}
	}
}
