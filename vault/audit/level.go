package audit

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/coatcheck-mcp/coatcheck/vault/audit/keyed"
)

// Level is how much of a call its record keeps. Each level has all that the
// one before it has.
type Level string

// The levels.
const (
	// Metadata: who, when, which tool, which pages and spaces, how it went.
	Metadata Level = "metadata"
	// Hashes: also the sizes and the keyed hashes of the arguments and of the
	// result, which prove what was asked and answered to somebody who has both.
	Hashes Level = "hashes"
	// Full: also the arguments, bounded and without secrets.
	Full Level = "full"
)

// Attribution is how records name people.
type Attribution string

// The attributions.
const (
	ByID   Attribution = "id"
	ByHash Attribution = "hash" // keyed, the same for all records of a person in one chain
)

// veil replaces what came with e by what is to be kept of it.
func (l *Log) veil(ctx context.Context, e Entry) (Entry, error) {
	asked, answered := e.Asked, e.Answered
	e.Asked, e.Answered = nil, nil
	contents := (l.cfg.Level == Hashes || l.cfg.Level == Full) && (asked != nil || answered != nil)
	hide := l.cfg.Attribution == ByHash && (e.named() || contents && l.cfg.Level == Full)
	if !contents && !hide {
		return e, nil
	}
	h, err := l.cfg.Hasher(ctx)
	if err != nil {
		return e, fmt.Errorf("opening the key for hashes in audit records: %w", err)
	}
	if contents && asked != nil {
		e.ArgumentsBytes, e.ArgumentsHash = len(asked), h.Arguments(e.Tenant, asked)
		if l.cfg.Level == Full {
			e.Arguments = keyed.Show(asked)
		}
	}
	if contents && answered != nil {
		result, err := json.Marshal(answered)
		if err != nil {
			return e, fmt.Errorf("encoding the result for its hash: %w", err)
		}
		e.ResultBytes, e.ResultHash = len(result), h.Result(e.Tenant, result)
	}
	if hide {
		e.unname(h)
	}
	return e, nil
}
