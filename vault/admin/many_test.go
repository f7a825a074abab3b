package admin_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// many is a store where all of a tenant end at once, but for what breaks.
type many struct {
	admin.Store
	all  admin.Revoked
	fail error
}

func (m many) Affected(context.Context, admin.Scope) (admin.Revoked, error) { return m.all, nil }

func (m many) Revoke(context.Context, admin.Scope, time.Time) (admin.Revoked, error) {
	return m.all, m.fail
}

// slow is a store of records that takes its time and counts.
type slow struct {
	audit.Sink
	each   time.Duration
	stored atomic.Int32
}

func (s *slow) AuditAppend(ctx context.Context, _ identity.TenantID, next func(audit.Head) audit.Record) error {
	select {
	case <-time.After(s.each):
	case <-ctx.Done():
		return ctx.Err()
	}
	next(audit.Head{})
	s.stored.Add(1)
	return nil
}

func tenThousand() (all admin.Revoked) {
	for i := range 10_000 {
		id := fmt.Sprint(i)
		all.Grants = append(all.Grants, grant.Grant{ID: identity.GrantID("g_" + id), Person: identity.PersonID("p_" + id), Tenant: "acme"})
		all.Sessions = append(all.Sessions, session.Session{ID: identity.SessionID("s_" + id), Person: identity.PersonID("p_" + id), Tenant: "acme"})
	}
	return all
}

// TestTenThousandGrantsAtOnce: all is on record within seconds, while Atlassian
// is asked.
func TestTenThousandGrantsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &slow{each: 5 * time.Millisecond}
		cfg := admin.Config{
			Store: many{all: tenThousand()}, Audit: audit.New(audit.Config{Sink: sink}),
			Upstream: func(_ context.Context, grants []grant.Grant) func(context.Context) map[identity.GrantID]error {
				return func(ctx context.Context) map[identity.GrantID]error {
					<-ctx.Done() // Atlassian is slow, too
					return map[identity.GrantID]error{grants[0].ID: nil, grants[1].ID: errors.New("no")}
				}
			},
		}
		began := time.Now()
		done, err := admin.New(cfg).Revoke(t.Context(), administrator, admin.Scope{Site: "https://acme.atlassian.net"})
		if took := time.Since(began); err != nil || took > 9*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		if n := sink.stored.Load(); n != 1+20_000+2 || done.Upstream.Ended != 1 || done.Upstream.Failed != 1 || done.Upstream.Left != 9_998 {
			t.Errorf("%d records, %+v", n, done.Upstream)
		}
	})
}

// TestRecordsThatCannotBeStored keep nobody waiting, and there is one error.
func TestRecordsThatCannotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &slow{each: time.Second}
		began := time.Now()
		done, err := admin.New(admin.Config{Store: many{all: tenThousand()}, Audit: audit.New(audit.Config{Sink: sink})}).Revoke(t.Context(), administrator, admin.Scope{Everything: true})
		if took := time.Since(began); usererr.CodeOf(err) != usererr.Unavailable || took > 45*time.Second || len(done.Grants) != 10_000 {
			t.Errorf("after %v: %v", took, err)
		}
		if text := err.Error(); len(text) > 500 {
			t.Errorf("the error has %d characters", len(text))
		}
	})
}

// TestARevocationThatBreaksOff: what has ended before is on record and told.
func TestARevocationThatBreaksOff(t *testing.T) {
	sink := &slow{}
	all := tenThousand()
	all.Grants, all.Sessions = all.Grants[:3], all.Sessions[:2]
	cfg := admin.Config{Store: many{all: all, fail: errors.New("the store is gone")}, Audit: audit.New(audit.Config{Sink: sink})}
	done, err := admin.New(cfg).Revoke(t.Context(), administrator, admin.Scope{Site: "https://acme.atlassian.net"})
	if err == nil || !strings.Contains(err.Error(), "the store is gone") || len(done.Grants) != 3 || len(done.Sessions) != 2 || sink.stored.Load() != 6 {
		t.Errorf("%d grants, %d records, %v", len(done.Grants), sink.stored.Load(), err)
	}
}
