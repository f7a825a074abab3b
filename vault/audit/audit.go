// Package audit records what happened, append only, one hash chain for each
// tenant. A record is durable before the answer that it is about leaves the
// vault. It knows nothing of who may do what.
package audit

import (
	"context"
	"encoding/json"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// Entry is one thing that happened. It never holds a secret, nor page
// content, but for what the level "full" keeps of arguments.
type Entry struct {
	Time           time.Time          `json:"time"`
	Event          string             `json:"event"`   // such as "call", "call.denied", "login.done", "grant.refreshed"
	Outcome        string             `json:"outcome"` // "ok", "error", "denied"
	Tenant         identity.TenantID  `json:"tenant,omitempty"`
	Person         identity.PersonID  `json:"person,omitempty"`
	Device         identity.DeviceID  `json:"device,omitempty"`
	Session        identity.SessionID `json:"session,omitempty"`
	Grant          identity.GrantID   `json:"grant,omitempty"`
	Stream         identity.StreamID  `json:"stream,omitempty"`
	Call           string             `json:"call,omitempty"`
	Tool           string             `json:"tool,omitempty"`
	Site           string             `json:"site,omitempty"`
	Objects        []string           `json:"objects,omitempty"`
	Code           string             `json:"code,omitempty"`
	Detail         string             `json:"detail,omitempty"`
	Reference      string             `json:"reference,omitempty"` // under which the log has more
	Address        string             `json:"address,omitempty"`
	DurationMillis int64              `json:"duration_ms,omitempty"`
	// By is who acted, where that is not the person whom it is about: an
	// administrator, as "key:NAME" or "os:USER".
	By string `json:"by,omitempty"`

	// What the level of the log leaves of Asked and Answered; see [Level].
	ArgumentsBytes int             `json:"arguments_bytes,omitempty"`
	ResultBytes    int             `json:"result_bytes,omitempty"`
	ArgumentsHash  string          `json:"arguments_hash,omitempty"`
	ResultHash     string          `json:"result_hash,omitempty"`
	Arguments      json.RawMessage `json:"arguments,omitempty"`

	// Asked is JSON that came with a call, and Answered what goes back, to be
	// encoded as JSON. They are never stored as they are.
	Asked    []byte `json:"-"`
	Answered any    `json:"-"`
}

// Head is the end of a chain; the zero Head is before the first record.
type Head struct {
	Seq  int64
	Hash []byte
}

// Record is an entry in its chain. Body is the entry as it was hashed.
type Record struct {
	Tenant identity.TenantID
	Head   // of the chain after this record
	Prev   []byte
	Time   time.Time
	Event  string
	Body   []byte
}

// Sink stores records, durably when it returns.
type Sink interface {
	// AuditAppend adds a record to tenant's chain ("" is the vault's own):
	// next gets the end of the chain and returns what follows. It may run
	// more than once.
	AuditAppend(ctx context.Context, tenant identity.TenantID, next func(Head) Record) error
	// AuditRead returns at most limit records after seq in order.
	AuditRead(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]Record, error)
	// AuditHead returns the end of tenant's chain as it was stored last, which
	// is not in the records themselves: records that were cut off show by it.
	AuditHead(ctx context.Context, tenant identity.TenantID) (Head, error)
	// AuditHeads returns the ends of all chains.
	AuditHeads(ctx context.Context) (map[identity.TenantID]Head, error)
	// AuditSegments lists the sealed segments of a chain in order.
	AuditSegments(ctx context.Context, tenant identity.TenantID) ([]Segment, error)
	// AuditTenants lists the chains that exist.
	AuditTenants(ctx context.Context) ([]identity.TenantID, error)
}
