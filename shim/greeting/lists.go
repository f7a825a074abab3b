package greeting

import "github.com/coatcheck-mcp/coatcheck/shim/jsonline"

// Lists are some of the lists that a vault has.
type Lists struct{ Tools, Prompts, Resources bool }

// ReadLists reads a JSON object that has a member for each list: either the
// capabilities of a server, or what a subscription is for.
func ReadLists(object []byte, member func(list string) []string) Lists {
	yes := func(list string) bool {
		at := object
		for _, name := range member(list) {
			at = jsonline.Member(at, name)
		}
		return string(at) == "true"
	}
	return Lists{yes("tools"), yes("prompts"), yes("resources")}
}

// And returns what is in both.
func (l Lists) And(other Lists) Lists {
	return Lists{l.Tools && other.Tools, l.Prompts && other.Prompts, l.Resources && other.Resources}
}
