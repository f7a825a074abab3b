package audit

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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
	e.Event, e.Outcome = fit(e.Event, maxWord), fit(e.Outcome, maxWord)
	e.Tenant = identity.TenantID(fit(string(e.Tenant), maxText))
	e.Person = identity.PersonID(fit(string(e.Person), maxText))
	e.Device = identity.DeviceID(fit(string(e.Device), maxText))
	e.Session = identity.SessionID(fit(string(e.Session), maxText))
	e.Grant = identity.GrantID(fit(string(e.Grant), maxText))
	e.Stream = identity.StreamID(fit(string(e.Stream), maxText))
	for _, text := range []*string{&e.Call, &e.Tool, &e.Site, &e.Code, &e.Reference, &e.Address, &e.By} {
		*text = fit(*text, maxText)
	}
	e.Detail = fit(e.Detail, maxDetail)
	e.Objects = fitObjects(e.Objects)
	return e
}

func fitObjects(objects []string) []string {
	if len(objects) == 0 {
		return nil
	}
	kept := make([]string, 0, min(len(objects), maxObjects+1))
	for _, object := range objects[:min(len(objects), maxObjects)] {
		kept = append(kept, fit(object, maxText))
	}
	if more := len(objects) - maxObjects; more > 0 {
		kept = append(kept, fmt.Sprintf("… and %d more", more))
	}
	return kept
}

// fit makes text valid UTF-8 without control characters and cuts it to about
// limit bytes. Whoever prints a record, on a terminal too, prints no commands.
func fit(text string, limit int) string {
	cut := len(text) > limit
	if cut {
		for limit > 0 && !utf8.RuneStart(text[limit]) {
			limit--
		}
		text = text[:limit]
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	if strings.IndexFunc(text, commands) >= 0 || strings.IndexByte(text, '\\') >= 0 {
		var b strings.Builder
		for _, r := range text {
			switch {
			case r == '\\':
				b.WriteString(`\\`) // so that an escape cannot be made up
			case commands(r):
				fmt.Fprintf(&b, `\u{%x}`, r)
			default:
				b.WriteRune(r)
			}
		}
		text = b.String()
	}
	if cut {
		text += "…"
	}
	return text
}

// commands tells the characters that do something instead of showing
// something: control codes, direction marks, line and paragraph separators.
func commands(r rune) bool {
	if r < utf8.RuneSelf { // most are
		return r < ' ' || r == 0x7f
	}
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}
