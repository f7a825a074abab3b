package admin

import (
	"context"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	// OwnChain names the vault's own chain in a [RecordQuery], which has no
	// tenant.
	OwnChain = "-"

	recordsAtOnce = 100
	// maxScanned bounds the records that are read for one page.
	maxScanned = 20_000
	// clockSlack is how far apart the clocks of replicas may be: records of a
	// chain are in the order of their times but for this.
	clockSlack = time.Hour
)

// RecordQuery asks for audit records. Empty fields do not matter.
type RecordQuery struct {
	Tenant  string // whose chain; [OwnChain] for the vault's own, "" for all
	Person  identity.PersonID
	Device  identity.DeviceID
	Session identity.SessionID
	Grant   identity.GrantID
	By      string
	// Event is a kind, such as "grant.revoked", or the part of one before a
	// dot: "grant" is all that happens to grants.
	Event        string
	Outcome      string
	Since, Until time.Time
	Paging

	aliases map[identity.TenantID]identity.PersonID // of Person
}

// Record is an audit record with its entry decoded.
type Record struct {
	audit.Record
	Entry audit.Entry
}

// Records lists audit records, the latest first; those of several chains by
// their times.
func (d *Desk) Records(ctx context.Context, who Actor, q RecordQuery) (Page[Record], error) {
	limit, err := q.size()
	if err != nil {
		return Page[Record]{}, err
	}
	from, err := openCursor("records", q.Cursor)
	if err != nil {
		return Page[Record]{}, err
	}
	m := merge{desk: d, query: q}
	if m.ends, err = d.ends(ctx, q, from.Ends); err != nil {
		return Page[Record]{}, err
	}
	if m.query.aliases, err = d.aliases(ctx, who, q.Person, slices.Collect(maps.Keys(m.ends))); err != nil {
		return Page[Record]{}, err
	}
	page, err := m.page(ctx, limit)
	if err != nil {
		return Page[Record]{}, err
	}
	return page, d.look(ctx, who, audit.Entry{Person: q.Person, Device: q.Device, Session: q.Session, Grant: q.Grant, Objects: asked("audit records", "chain", q.Tenant, "event", q.Event)})
}

// ends finds where reading begins: for each chain the number behind the last
// record that may be of interest, or where a cursor says that the page before
// ended. A cursor is anybody's: it names no chain that the question does not,
// since the question is what goes on record.
func (d *Desk) ends(ctx context.Context, q RecordQuery, from map[identity.TenantID]int64) (map[identity.TenantID]int64, error) {
	heads, err := d.cfg.Sink.AuditHeads(ctx)
	if err != nil {
		return nil, err
	}
	ends := map[identity.TenantID]int64{}
	for tenant, head := range heads {
		if named := identity.TenantID(q.Tenant); q.Tenant != "" && tenant != named && (q.Tenant != OwnChain || tenant != "") {
			continue
		}
		if from != nil {
			if end, ok := from[tenant]; ok {
				ends[tenant] = min(end, head.Seq+1)
			}
			continue
		}
		if ends[tenant], err = d.endAt(ctx, tenant, head.Seq, q.Until); err != nil {
			return nil, err
		}
	}
	return ends, nil
}

// endAt finds the first record that is surely later than until, by halves.
func (d *Desk) endAt(ctx context.Context, tenant identity.TenantID, last int64, until time.Time) (int64, error) {
	if until.IsZero() {
		return last + 1, nil
	}
	var failed error
	n := sort.Search(int(last), func(i int) bool {
		list, err := d.cfg.Sink.AuditRead(ctx, tenant, int64(i), 1)
		if err != nil {
			failed = err
		}
		return err != nil || len(list) == 0 || list[0].Time.After(until.Add(clockSlack))
	})
	return int64(n) + 1, failed
}

// merge reads chains backwards, side by side.
type merge struct {
	desk  *Desk
	query RecordQuery
	ends  map[identity.TenantID]int64 // the record that was read last of each chain
	ahead map[identity.TenantID][]audit.Record
}

func (m *merge) page(ctx context.Context, limit int) (Page[Record], error) {
	var page Page[Record]
	m.ahead = map[identity.TenantID][]audit.Record{}
	for scanned := 0; ; scanned++ {
		next, ok, err := m.next(ctx)
		if err != nil || !ok {
			return page, err
		}
		if len(page.Items) == limit || scanned == maxScanned {
			page.Next = cursor{Kind: "records", Ends: m.ends}.text()
			return page, nil
		}
		m.take(next)
		entry, err := next.Entry()
		if err != nil {
			entry = audit.Entry{Time: next.Time, Event: next.Event, Detail: "this record cannot be read"} // verifying says more
		}
		if m.query.matches(next, entry) {
			page.Items = append(page.Items, Record{next, entry})
		}
	}
}

// next is the latest record that was not taken yet.
func (m *merge) next(ctx context.Context) (latest audit.Record, ok bool, err error) {
	for _, tenant := range slices.Sorted(maps.Keys(m.ends)) {
		if len(m.ahead[tenant]) == 0 && m.ends[tenant] > 1 {
			if m.ahead[tenant], err = m.desk.cfg.Store.RecordsBefore(ctx, tenant, m.ends[tenant], recordsAtOnce); err != nil {
				return latest, false, err
			}
		}
		if len(m.ahead[tenant]) == 0 || !m.query.Since.IsZero() && m.ahead[tenant][0].Time.Before(m.query.Since.Add(-clockSlack)) {
			delete(m.ends, tenant)
			continue
		}
		if r := m.ahead[tenant][0]; !ok || r.Time.After(latest.Time) {
			latest, ok = r, true
		}
	}
	return latest, ok, nil
}

func (m *merge) take(r audit.Record) {
	m.ahead[r.Tenant] = m.ahead[r.Tenant][1:]
	m.ends[r.Tenant] = r.Seq
}

func (q RecordQuery) matches(r audit.Record, e audit.Entry) bool {
	return (q.Person == "" || q.Person == e.Person || e.Person != "" && q.aliases[r.Tenant] == e.Person) && (q.Device == "" || q.Device == e.Device) && (q.Session == "" || q.Session == e.Session) &&
		(q.Grant == "" || q.Grant == e.Grant) && (q.By == "" || q.By == e.By) && (q.Outcome == "" || q.Outcome == e.Outcome) &&
		(q.Event == "" || q.Event == r.Event || strings.HasPrefix(r.Event, q.Event+".")) &&
		(q.Since.IsZero() || !r.Time.Before(q.Since)) && (q.Until.IsZero() || !r.Time.After(q.Until))
}

// End is the end of a chain.
type End struct {
	Tenant identity.TenantID // "" is the vault's own chain
	audit.Head
	// Signed is the last record that this replica signed, 0 for none.
	Signed int64
}

// Ends lists the ends of the chains, and the key that verifies checkpoints, if
// there are any.
func (d *Desk) Ends(ctx context.Context, who Actor) (ends []End, key string, err error) {
	heads, err := d.cfg.Sink.AuditHeads(ctx)
	if err != nil {
		return nil, "", err
	}
	var signed map[identity.TenantID]audit.Head
	if d.cfg.Signed != nil {
		key, signed = d.cfg.Signed()
	}
	for _, tenant := range slices.Sorted(maps.Keys(heads)) {
		ends = append(ends, End{tenant, heads[tenant], signed[tenant].Seq})
	}
	return ends, key, d.look(ctx, who, audit.Entry{Objects: []string{"ends of the audit chains"}})
}
