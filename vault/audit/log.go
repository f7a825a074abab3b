package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit/keyed"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	hashPurpose = "coatcheck audit record v1"
	// maxList is how many records List returns at most.
	maxList = 1000
)

// Config is what a [Log] needs.
type Config struct {
	Sink   Sink
	Logger *slog.Logger // gets each stored record at level debug; default none
	// Level is how much of calls is kept, default [Metadata]; Attribution how
	// people are named, default [ByID].
	Level       Level
	Attribution Attribution
	// Hasher makes keyed hashes; needed where a level or an attribution other
	// than the default has some.
	Hasher func(context.Context) (*keyed.Hasher, error)
}

// Log records what happens. Its methods may be called from many goroutines.
type Log struct{ cfg Config }

// New returns a log.
func New(cfg Config) *Log {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Hasher == nil {
		cfg.Hasher = func(context.Context) (*keyed.Hasher, error) { return nil, errors.New("there is none") }
	}
	return &Log{cfg}
}

// Record adds e to the chain of its tenant. The record is durable when Record
// returns nil; when it does not, what e is about must not be answered. Texts
// that are too long are cut, control characters become visible.
func (l *Log) Record(ctx context.Context, e Entry) error {
	e, err := l.veil(ctx, e)
	if err != nil {
		return fmt.Errorf("recording %s: %w", e.Event, err)
	}
	e = e.tidy()
	body, err := encode(e)
	if err != nil {
		return fmt.Errorf("recording %s: %w", e.Event, err)
	}
	var stored Head
	err = l.cfg.Sink.AuditAppend(ctx, e.Tenant, func(head Head) Record {
		r := Record{Tenant: e.Tenant, Prev: head.Hash, Time: e.Time, Event: e.Event, Body: body}
		r.Seq = head.Seq + 1
		r.Hash = r.sum()
		stored = r.Head
		return r
	})
	if err != nil {
		return fmt.Errorf("recording %s: %w", e.Event, err)
	}
	l.cfg.Logger.DebugContext(ctx, "audit", "event", e.Event, "outcome", e.Outcome, "tenant", e.Tenant, "person", e.Person,
		"session", e.Session, "call", e.Call, "tool", e.Tool, "code", e.Code, "seq", stored.Seq)
	return nil
}

// encode writes e in the one form that it has: members in the order of the
// struct, no member that is empty, UTF-8 kept, no white space.
func encode(e Entry) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// sum is the hash of r.
func (r *Record) sum() []byte {
	sum := sha256.Sum256(r.appendForm(nil))
	return sum[:]
}

// appendForm appends what is hashed: a purpose of its own, all that came
// before, and everything of r, each part with its length.
func (r *Record) appendForm(b []byte) []byte {
	size := func(n int) { b = binary.BigEndian.AppendUint64(b, uint64(n)) }
	size(len(hashPurpose))
	b = append(b, hashPurpose...)
	size(len(r.Prev))
	b = append(b, r.Prev...)
	size(len(r.Tenant))
	b = append(b, r.Tenant...)
	size(len(r.Body))
	b = append(b, r.Body...)
	return binary.BigEndian.AppendUint64(b, uint64(r.Seq))
}

// Entry reads what was recorded.
func (r Record) Entry() (Entry, error) {
	var e Entry
	if err := json.Unmarshal(r.Body, &e); err != nil {
		return Entry{}, errors.New("an audit record is not readable")
	}
	return e, nil
}

// List returns at most limit records of tenant's chain after seq, the oldest
// first. A limit of 0 or more than 1,000 means 1,000.
func (l *Log) List(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]Record, error) {
	if limit <= 0 || limit > maxList {
		limit = maxList
	}
	return l.cfg.Sink.AuditRead(ctx, tenant, after, limit)
}

// Tenants lists the chains that exist.
func (l *Log) Tenants(ctx context.Context) ([]identity.TenantID, error) {
	return l.cfg.Sink.AuditTenants(ctx)
}

// now is the precision of the store.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
