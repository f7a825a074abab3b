// Package journal is what the guard remembers writes by, so that none is made
// twice.
package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// Life is how long the journal remembers a write: longer than any shim resends
// a call.
const Life = 15 * time.Minute

// Key names a call over restarts of the vault.
type Key struct {
	Device identity.DeviceID
	Stream identity.StreamID
	Call   string // see [Name]
}

// Name is the id of a call for a key; a long one is shortened without becoming
// another's.
func Name(id string) string {
	if len(id) <= 100 {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Entry is a write that was begun. Result is sealed, and nil until the write
// has finished.
type Entry struct {
	Key
	Person  identity.PersonID
	Tenant  identity.TenantID
	Tool    string
	Print   []byte    // see [Print]
	Started time.Time // whole milliseconds; fences Finish and Drop
	Result  []byte
}

// Print is the fingerprint of a person, a tool and its arguments.
func Print(tenant identity.TenantID, person identity.PersonID, tool string, input []byte) []byte {
	return digest(string(tenant), string(person), tool, string(input))
}

// Place binds a result to the call that it answers.
func (e *Entry) Place() seal.AAD {
	return seal.AAD{
		Purpose: "journal", Tenant: string(e.Tenant), Person: string(e.Person),
		Field:   hex.EncodeToString(digest(string(e.Device), string(e.Stream), e.Call, string(e.Print))),
		Version: e.Started.UnixMilli(),
	}
}

func digest(parts ...string) []byte {
	h := sha256.New()
	for _, part := range parts {
		sum := sha256.Sum256([]byte(part)) // fixed length keeps the parts apart
		h.Write(sum[:])
	}
	return h.Sum(nil)
}

// Journal remembers writes. All methods are atomic and durable when they
// return.
type Journal interface {
	// JournalStart inserts e unless its key is there. It returns the entry
	// that stands and whether it is e. With replace, an entry of that key that
	// was begun before e gives way to e; one that was not has come later, to a
	// vault that took over the call.
	JournalStart(ctx context.Context, e Entry, replace bool) (Entry, bool, error)
	// JournalFinish stores the sealed result of the write begun at started. It
	// calls record, once, which appends the call's audit record with the context
	// that it is given, so that both can be stored at once. Each is stored also
	// if the other is refused.
	JournalFinish(ctx context.Context, key Key, started time.Time, result []byte, record func(context.Context)) error
	// JournalDrop forgets a write that certainly did not happen. One that has
	// a result stays: another process has settled it meanwhile.
	JournalDrop(ctx context.Context, key Key, started time.Time) error
	// JournalClean forgets what was begun before.
	JournalClean(ctx context.Context, before time.Time) (int64, error)
}
