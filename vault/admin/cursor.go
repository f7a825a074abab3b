package admin

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// How much a page holds.
const (
	DefaultLimit = 50
	MaxLimit     = 200
)

// Paging asks for a page.
type Paging struct {
	Limit  int    // default 50, at most 200
	Cursor string // Next of the page before; "" for the first
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	// Next is the cursor of the next page, "" on the last. A page may hold
	// fewer than were asked for, or none, and have a next one nevertheless:
	// what does not fit the question was passed over.
	Next string
}

// Mark is a place in a list: the time and the id of the item before it.
type Mark struct {
	Time time.Time
	ID   string
}

// cursor is what a cursor holds. It is not a secret and not signed: whoever
// makes one up only begins to read elsewhere in a list that he may read.
type cursor struct {
	Kind string                      `json:"k"`
	Time int64                       `json:"t,omitempty"`
	ID   string                      `json:"i,omitempty"`
	Ends map[identity.TenantID]int64 `json:"e,omitempty"`
}

const maxCursor = 16 << 10

func (c cursor) text() string {
	data, err := json.Marshal(c)
	if err != nil {
		return "" // texts and numbers only: it does not happen
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// openCursor reads a cursor of a kind; the zero one for "".
func openCursor(kind, text string) (cursor, error) {
	if text == "" {
		return cursor{}, nil
	}
	bad := usererr.New(usererr.BadInput, "The cursor cannot be used: it is damaged, or from another list", "Ask again without a cursor")
	if len(text) > maxCursor {
		return cursor{}, bad
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return cursor{}, bad
	}
	var c cursor
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if dec.Decode(&c) != nil || c.Kind != kind {
		return cursor{}, bad
	}
	return c, nil
}

func (c cursor) mark() Mark {
	if c.Kind == "" {
		return Mark{}
	}
	return Mark{time.UnixMilli(c.Time).UTC(), c.ID}
}

// size is how much a page holds.
func (p Paging) size() (int, error) {
	switch {
	case p.Limit == 0:
		return DefaultLimit, nil
	case p.Limit < 0 || p.Limit > MaxLimit:
		return 0, usererr.New(usererr.BadInput, "A page holds 1 to 200", "Ask for fewer and go on with the cursor")
	}
	return p.Limit, nil
}

// pageOf cuts a list that was read one longer than a page.
func pageOf[T any](items []T, limit int, at func(T) cursor) Page[T] {
	if len(items) <= limit {
		return Page[T]{Items: items}
	}
	items = items[:limit]
	return Page[T]{items, at(items[limit-1]).text()}
}
