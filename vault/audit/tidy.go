package audit

import (
	"fmt"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// How much of an entry is kept, in bytes and in number of objects.
const (
	maxWord    = 64
	maxText    = 256
	maxDetail  = 2000
	maxObjects = 200
)

// tidy bounds an entry: parts of it come from devices, models and pages.
func (e Entry) tidy() Entry {
	if e.Time.IsZero() {
		e.Time = now()
	}
	e.Time = e.Time.UTC().Truncate(time.Millisecond)
	e.Event, e.Outcome = plaintext.Escape(e.Event, maxWord), plaintext.Escape(e.Outcome, maxWord)
	e.Tenant = identity.TenantID(plaintext.Escape(string(e.Tenant), maxText))
	e.Person = identity.PersonID(plaintext.Escape(string(e.Person), maxText))
	e.Device = identity.DeviceID(plaintext.Escape(string(e.Device), maxText))
	e.Session = identity.SessionID(plaintext.Escape(string(e.Session), maxText))
	e.Grant = identity.GrantID(plaintext.Escape(string(e.Grant), maxText))
	e.Stream = identity.StreamID(plaintext.Escape(string(e.Stream), maxText))
	for _, text := range []*string{&e.Call, &e.Tool, &e.Site, &e.Code, &e.Reference, &e.Address, &e.By} {
		*text = plaintext.Escape(*text, maxText)
	}
	e.Detail = plaintext.Escape(e.Detail, maxDetail)
	e.Objects = fitObjects(e.Objects)
	return e
}

func fitObjects(objects []string) []string {
	if len(objects) == 0 {
		return nil
	}
	kept := make([]string, 0, min(len(objects), maxObjects+1))
	for _, object := range objects[:min(len(objects), maxObjects)] {
		kept = append(kept, plaintext.Escape(object, maxText))
	}
	if more := len(objects) - maxObjects; more > 0 {
		kept = append(kept, fmt.Sprintf("… and %d more", more))
	}
	return kept
}
