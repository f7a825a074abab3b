package company

import (
	"maps"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	warnEvery = 24 * time.Hour
	maxWarned = 10_000 // people; beyond, some are warned about again
)

// warned remembers about whom a warning was written, so that what lasts does not
// fill the log. It may be used from many goroutines.
type warned struct {
	mu sync.Mutex
	at map[identity.PersonID]time.Time // guarded by mu
}

// first reports whether there was no warning about a person within a day. If so,
// there is one now.
func (w *warned) first(person identity.PersonID, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at, ok := w.at[person]; ok && now.Sub(at) < warnEvery {
		return false
	}
	if len(w.at) >= maxWarned {
		maps.DeleteFunc(w.at, func(_ identity.PersonID, at time.Time) bool { return now.Sub(at) >= warnEvery })
	}
	if w.at == nil || len(w.at) >= maxWarned {
		w.at = map[identity.PersonID]time.Time{}
	}
	w.at[person] = now
	return true
}
