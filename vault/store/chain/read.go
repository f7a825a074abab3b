package chain

import (
	"context"
	"math"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/store/engine"
	"github.com/coatcheck-mcp/coatcheck/vault/store/rows"
)

const (
	usual = 512 // bytes of a record

	columns = "SELECT seq, at, event, body, prev, hash FROM audit WHERE tenant = $1 AND seq > $2"
	stretch = columns + " AND seq <= $3 ORDER BY seq LIMIT $4"
	further = columns + " ORDER BY seq LIMIT $3"
)

// Each is an engine's way to read much, such as [engine.Each].
type Each func(ctx context.Context, query engine.Statement, into []any, row func()) error

// Read returns at most limit records of tenant's chain after a number, in
// order.
func Read(ctx context.Context, each Each, tenant identity.TenantID, after int64, limit int) ([]audit.Record, error) {
	t := transcript{tenant: tenant, all: make([]audit.Record, 0, limit), piece: usual * min(limit, 128)}
	// A server without statistics, as after a dump was read back, would sort
	// the whole rest of the chain for each page; so it is told where that ends.
	if after < 0 { // numbers that no record should have
		if err := t.read(ctx, each, stretch, after, 0, limit); err != nil {
			return nil, err
		}
		after = 0
	}
	if missing := limit - len(t.all); missing > 0 {
		// Numbers follow each other, so this is all, nearly always.
		if err := t.read(ctx, each, stretch, after, after+min(int64(missing), math.MaxInt64-after), missing); err != nil {
			return nil, err
		}
	}
	if n := len(t.all); n > 0 {
		after = max(after, t.all[n-1].Seq)
	}
	if missing := limit - len(t.all); missing > 0 {
		if err := t.read(ctx, each, further, after, missing); err != nil {
			return nil, err
		}
	}
	return t.all, nil
}

// transcript is a part of a chain that was read. It keeps the bytes of many
// records in few pieces of memory: who reads a whole chain would spend a good
// part of the time on pieces of their own.
type transcript struct {
	tenant identity.TenantID
	all    []audit.Record
	piece  int    // bytes of memory that are taken at a time
	room   []byte // the latest piece, as far as it is used
	event  string // of the last record
}

func (t *transcript) read(ctx context.Context, each Each, query string, bounds ...any) error {
	var seq, at int64
	var event, body, prev, hash []byte
	into := []any{&seq, &at, &event, &body, &prev, &hash}
	return each(ctx, engine.Statement{Query: query, Args: append([]any{string(t.tenant)}, bounds...)}, into, func() {
		if string(event) != t.event { // most are as the one before
			t.event = string(event)
		}
		t.all = append(t.all, audit.Record{
			Tenant: t.tenant, Head: audit.Head{Seq: seq, Hash: t.keep(hash)}, Prev: t.keep(prev),
			Time: rows.Moment(at), Event: t.event, Body: t.keep(body),
		})
	})
}

func (t *transcript) keep(b []byte) []byte {
	if len(b) > cap(t.room)-len(t.room) {
		t.room = make([]byte, 0, max(len(b), t.piece))
	}
	n := len(t.room)
	t.room = append(t.room, b...)
	return t.room[n:len(t.room):len(t.room)]
}
