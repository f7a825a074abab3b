package greeting

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
)

// Promise is what an answer to initialize or server/discover promises, as far
// as the shim cares.
type Promise struct {
	// Revision is what initialize agreed on; Versions what discover offers.
	Revision string
	Versions []string
	Tools    bool
	// Changes are the lists of which changes are announced, Logging says that
	// log messages may be sent.
	Changes Lists
	Logging bool
}

// ReadPromise reads a result that was checked.
func ReadPromise(result []byte) (p Promise) {
	jsonline.Members(result, func(name string, value []byte) {
		switch name {
		case "protocolVersion":
			p.Revision = jsonline.Text(value)
		case "supportedVersions":
			jsonline.Elements(value, func(version []byte) { p.Versions = append(p.Versions, jsonline.Text(version)) })
		case "capabilities":
			p.Tools = jsonline.IsObject(jsonline.Member(value, "tools"))
			p.Changes = ReadLists(value, func(list string) []string { return []string{list, "listChanged"} })
			p.Logging = jsonline.IsObject(jsonline.Member(value, "logging"))
		}
	})
	return p
}

// Fits reports whether a conversation that began on promise p can go on with a
// vault that promises later. A vault that offers more fits.
func (p Promise) Fits(later Promise) bool {
	if p.Revision != later.Revision || p.Tools && !later.Tools {
		return false
	}
	return len(p.Versions) == 0 || slices.ContainsFunc(later.Versions, func(v string) bool { return v >= Stateless })
}

const maxResult = 512 << 10

// check returns result in one line if it is what a vault answers to kind.
func check(kind Kind, result []byte) ([]byte, bool) {
	if len(result) > maxResult {
		return nil, false
	}
	// The scanner is stricter than encoding/json, in depth for one.
	var scan jsonline.Scanner
	if _, fault := scan.Look(slices.Concat([]byte(`{"jsonrpc":"2.0","id":1,"result":`), result, []byte(`}`))); fault != nil {
		return nil, false
	}
	var flat bytes.Buffer
	if json.Compact(&flat, result) != nil {
		return nil, false
	}
	return flat.Bytes(), hasShape(kind, result)
}

func hasShape(kind Kind, result []byte) bool {
	p := ReadPromise(result)
	capable := jsonline.IsObject(jsonline.Member(result, "capabilities"))
	if how := jsonline.Member(result, "resultType"); how != nil && jsonline.Text(how) != "complete" {
		return false
	}
	switch kind {
	case Initialize:
		named := jsonline.Text(jsonline.Member(jsonline.Member(result, "serverInfo"), "name")) != ""
		return slices.Contains(Stateful(), p.Revision) && capable && named
	case Discover:
		return len(p.Versions) > 0 && !slices.Contains(p.Versions, "") && capable
	case Tools:
		list := jsonline.Member(result, "tools")
		next := jsonline.Member(result, "nextCursor")
		whole := jsonline.IsArray(list) && (next == nil || string(next) == `""`)
		jsonline.Elements(list, func(tool []byte) {
			if jsonline.Text(jsonline.Member(tool, "name")) == "" || !jsonline.IsObject(jsonline.Member(tool, "inputSchema")) {
				whole = false
			}
		})
		return whole
	}
	return false
}
