package audit

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// Format is how records are exported.
type Format string

// The formats.
const (
	// JSONLines is one JSON object a line with all that a chain is made of, so
	// that it can be checked anywhere: the hash of a record is SHA-256 over
	// "coatcheck audit record v1", prev, tenant and body, each behind its
	// length in 8 bytes (big endian), and the 8 bytes of seq.
	JSONLines Format = "jsonl"
	// CEF is ArcSight's Common Event Format, which most SIEMs read.
	CEF Format = "cef"
)

// Export says what is exported, and how.
type Export struct {
	Format  Format
	Tenants []identity.TenantID // whose chains
	After   int64               // only later records of each
	Version string              // of the vault, for CEF and Append
	// Append appends a record as one line without its end, in a format of
	// another package; Format is not looked at then.
	Append func(b []byte, r *Record, version string) ([]byte, error)
}

// Export writes records, chain after chain, the oldest first. It keeps a page
// of them in memory, however many there are, and returns how many it wrote.
func (l *Log) Export(ctx context.Context, w io.Writer, x Export) (count int64, err error) {
	if x.Append == nil && x.Format != JSONLines && x.Format != CEF {
		return 0, fmt.Errorf("exporting audit records: there is no format %q", x.Format)
	}
	out := bufio.NewWriterSize(w, 64<<10)
	var line []byte
	for _, tenant := range x.Tenants {
		err := l.pages(ctx, tenant, x.After, func(page []Record) (bool, error) {
			for i := range page {
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

func (x Export) line(b []byte, r *Record) ([]byte, error) {
	if x.Append != nil {
		return x.Append(b, r, x.Version)
	}
	if x.Format == CEF {
		return appendCEF(b, r, x.Version), nil
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

func appendJSON(b []byte, r *Record) ([]byte, error) {
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
