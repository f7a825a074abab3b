package tools_test

import (
	"regexp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/people"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/seed"
)

// toolsetScopes are the permissions that the toolsets need beside the usual
// ones.
func toolsetScopes() []string {
	return []string{
		"read:task:confluence", "write:task:confluence", "write:content.restriction:confluence", "read:content.permission:confluence",
		"read:content.metadata:confluence", "read:group:confluence",
		"read:folder:confluence", "write:folder:confluence", "delete:folder:confluence", "read:whiteboard:confluence", "write:whiteboard:confluence",
		"read:embed:confluence", "write:embed:confluence", "delete:embed:confluence", "write:database:confluence", "read:database:confluence",
		"read:hierarchical-content:confluence", "read:comment:confluence", "read:analytics.content:confluence", "read:watcher:confluence",
		"write:watcher:confluence", "write:content:confluence", "write:relation:confluence",
	}
}

var nameOf = regexp.MustCompile(`\{(account|group):([^}]*)\}`)

// named puts the ids of people and groups into arguments.
func (s *script) named(arguments string) string {
	return nameOf.ReplaceAllStringFunc(arguments, func(text string) string {
		m := nameOf.FindStringSubmatch(text)
		if m[1] == "account" {
			p, _ := s.sim.Person(m[2])
			return p.AccountID
		}
		site := directory.Site{Name: "acme", CloudID: s.sim.CloudID("acme")}
		for _, g := range people.Groups(directory.New(seed.People(), nil).People(), site) {
			if g.Name == m[2] {
				return g.ID
			}
		}
		return ""
	})
}
