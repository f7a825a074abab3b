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
	// Changes says that tools/list_changed is announced, Logging that log
	// messages may be sent.
	Changes, Logging bool
}

// ReadPromise reads a result that was checked.
func ReadPromise(result []byte) Promise {
	var said struct {
		Revision     string       `json:"protocolVersion"`
		Versions     []string     `json:"supportedVersions"`
		Capabilities capabilities `json:"capabilities"`
	}
	if json.Unmarshal(result, &said) != nil {
		return Promise{}
	}
	return Promise{
		Revision: said.Revision,
		Versions: said.Versions,
		Tools:    said.Capabilities.Tools != nil,
		Changes:  said.Capabilities.Tools != nil && said.Capabilities.Tools.ListChanged,
		Logging:  said.Capabilities.Logging != nil,
	}
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
	var said struct {
		Revision     string                     `json:"protocolVersion"`
		Versions     []string                   `json:"supportedVersions"`
		Capabilities map[string]json.RawMessage `json:"capabilities"`
		Server       struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"serverInfo"`
		Tools *[]struct {
			Name  string                     `json:"name"`
			Input map[string]json.RawMessage `json:"inputSchema"`
		} `json:"tools"`
		Next string `json:"nextCursor"`
		Type string `json:"resultType"`
	}
	if json.Unmarshal(result, &said) != nil || said.Type != "" && said.Type != "complete" {
		return false
	}
	switch kind {
	case Initialize:
		return slices.Contains(Stateful(), said.Revision) && said.Capabilities != nil && said.Server.Name != ""
	case Discover:
		return len(said.Versions) > 0 && said.Capabilities != nil
	case Tools:
		if said.Tools == nil || said.Next != "" {
			return false
		}
		for _, tool := range *said.Tools {
			if tool.Name == "" || tool.Input == nil {
				return false
			}
		}
		return true
	}
	return false
}
