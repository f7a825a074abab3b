// Package cef writes audit records in ArcSight's Common Event Format, which
// most SIEMs read.
package cef

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
)

// How long values may be in characters (ArcSight's extension dictionary).
const (
	cefHeader = 512
	cefText   = 1023
	cefCustom = 4000
)

// Append appends r as CEF:0. What has no key of its own in the dictionary
// of CEF goes into the custom texts, with labels.
func Append(b []byte, r *audit.Record, version string) ([]byte, error) {
	e, err := r.Entry()
	if err != nil {
		e = audit.Entry{Outcome: "error", Detail: err.Error()} // verifying says where
	}
	b = append(b, "CEF:0|Coatcheck|coatcheck-vault|"...)
	for _, text := range []string{version, r.Event, strings.ReplaceAll(r.Event, ".", " "), severity(r.Event, e.Outcome)} {
		b = append(escapeHeader(b, cut(text, cefHeader)), '|')
	}
	x := extension{b: b}
	x.add("rt", strconv.FormatInt(r.Time.UnixMilli(), 10), cefText)
	x.add("externalId", strconv.FormatInt(r.Seq, 10), cefText)
	x.add("outcome", e.Outcome, cefText)
	x.add("suid", string(e.Person), cefText)
	x.add("suser", e.By, cefText)
	x.address(e.Address)
	x.add("destinationServiceName", e.Site, cefText)
	x.add("reason", e.Code, cefText)
	x.add("msg", e.Detail, cefText)
	for i, custom := range [][2]string{
		{"tenant", string(r.Tenant)}, {"session", string(e.Session)}, {"grant", string(e.Grant)}, {"tool", e.Tool},
		{"objects", strings.Join(e.Objects, ", ")}, {"hash", hex.EncodeToString(r.Hash)},
	} {
		x.labelled("cs"+strconv.Itoa(i+1), custom[0], custom[1])
	}
	x.labelled("flexString1", "device", string(e.Device))
	x.labelled("flexString2", "reference", e.Reference)
	if e.DurationMillis > 0 {
		x.labelled("cn1", "duration in ms", strconv.FormatInt(e.DurationMillis, 10))
	}
	return x.b, nil
}

// severity is from 0 to 10: what was refused and what was taken away is what a
// SIEM should show.
func severity(event, outcome string) string {
	switch {
	case outcome == "denied":
		return "6"
	case outcome == "error":
		return "5"
	case strings.HasSuffix(event, ".revoked"):
		return "4"
	}
	return "2"
}

// extension is the part of a line with keys and values.
type extension struct {
	b    []byte
	some bool
}

func (x *extension) add(key, value string, limit int) {
	if value == "" {
		return
	}
	if x.some {
		x.b = append(x.b, ' ')
	}
	x.some = true
	x.b = append(append(x.b, key...), '=')
	x.b = escapeExtension(x.b, cut(value, limit))
}

func (x *extension) labelled(key, label, value string) {
	if value == "" {
		return
	}
	x.add(key+"Label", label, cefText)
	x.add(key, value, cefCustom)
}

func (x *extension) address(text string) {
	switch ip, err := netip.ParseAddr(text); {
	case err != nil:
	case ip.Unmap().Is4():
		x.add("src", ip.Unmap().String(), cefText)
	default:
		x.labelled("c6a2", "Source IPv6 Address", ip.String())
	}
}

// cut keeps at most limit characters of valid UTF-8.
func cut(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit || utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}

// escapeHeader: a header has no line breaks at all; other controls would only
// be there if somebody changed the record.
func escapeHeader(b []byte, text string) []byte {
	for _, r := range text {
		switch {
		case r == '\\' || r == '|':
			b = append(b, '\\', byte(r))
		case plaintext.Commands(r):
			b = append(b, ' ')
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

func escapeExtension(b []byte, text string) []byte {
	for _, r := range text {
		switch {
		case r == '\\' || r == '=':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case plaintext.Commands(r):
			b = append(b, ' ')
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}
