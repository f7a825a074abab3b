// Package export writes audit records for elsewhere.
package export

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// Format is how records are exported.
type Format string

// The formats of this package.
const (
	// JSONLines is one JSON object a line with all that a chain is made of, so
	// that it can be checked anywhere: the hash of a record is SHA-256 over
	// "coatcheck audit record v1", prev, tenant and body, each behind its
	// length in 8 bytes (big endian), and the 8 bytes of seq.
	JSONLines Format = "jsonl"
)

// Options say what is exported, and how.
type Options struct {
	Format  Format
	Tenants []identity.TenantID // whose chains
	After   int64               // only later records of each
	Last    int64               // and none after this; 0 for all
	Version string              // of the vault, for Append
	// Append appends a record as one line without its end, in a format of
	// another package; Format is not looked at then.
	Append func(b []byte, r *audit.Record, version string) ([]byte, error)
}

// Write writes records of log, chain after chain, the oldest first. It keeps a page
// of them in memory, however many there are, and returns how many it wrote.
func Write(ctx context.Context, log *audit.Log, w io.Writer, x Options) (count int64, err error) {
	if x.Append == nil && x.Format != JSONLines {
		return 0, fmt.Errorf("exporting audit records: there is no format %q", x.Format)
	}
	out := bufio.NewWriterSize(w, 64<<10)
	var line []byte
	for _, tenant := range x.Tenants {
		err := log.Pages(ctx, tenant, x.After, func(page []audit.Record) (bool, error) {
			for i := range page {
				if x.Last > 0 && page[i].Seq > x.Last {
					return false, nil
				}
				if line, err = x.line(line[:0], &page[i]); err != nil {
					return false, err
				}
				if _, err := out.Write(append(line, '\n')); err != nil {
					return false, err
				}
				count++
			}
			return true, nil
		})
		if err != nil {
			return count, fmt.Errorf("exporting audit records: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return count, fmt.Errorf("exporting audit records: %w", err)
	}
	return count, nil
}

func (x Options) line(b []byte, r *audit.Record) ([]byte, error) {
	if x.Append != nil {
		return x.Append(b, r, x.Version)
	}
	return appendJSON(b, r)
}

// exported is a record as a line of JSON. The body is a text, not an object,
// since whoever checks its hash needs its very bytes.
type exported struct {
	Tenant identity.TenantID `json:"tenant"`
	Seq    int64             `json:"seq"`
	Time   string            `json:"time"`
	Event  string            `json:"event"`
	Prev   string            `json:"prev"`
	Hash   string            `json:"hash"`
	Body   string            `json:"body,omitempty"`
	// Bytes is the body, in base64, if somebody made it something other than
	// text.
	Bytes []byte `json:"body_base64,omitempty"`
}

func appendJSON(b []byte, r *audit.Record) ([]byte, error) {
	e := exported{
		Tenant: r.Tenant, Seq: r.Seq, Time: r.Time.UTC().Format("2006-01-02T15:04:05.000Z"), Event: r.Event,
		Prev: hex.EncodeToString(r.Prev), Hash: hex.EncodeToString(r.Hash), Body: string(r.Body),
	}
	if !utf8.Valid(r.Body) {
		e.Body, e.Bytes = "", r.Body
	}
	line, err := json.Marshal(e)
	return append(b, line...), err
}
