// Package rights says in plain words what OAuth scopes of Confluence allow, for
// the people who are asked.
package rights

import (
	"slices"
	"strings"
)

// Right is one thing that is asked for, in plain words.
type Right struct {
	Words string
	// Strong marks what changes or deletes something.
	Strong bool
}

// meaning says what scopes allow, in the order in which people should read it.
// A scope is matched by its beginning, without ":confluence".
type meaning struct {
	Right
	scopes []string
}

// meanings are in plain words what an administrator may put into a tenant's
// scopes, classic and granular (reference: Atlassian's lists of both).
func meanings() []meaning {
	return []meaning{
		{Right{"Search Confluence for you", false}, []string{"search:"}},
		{Right{"Read the pages, blog posts and comments that you may see", false}, []string{
			"read:page", "read:blogpost", "read:comment", "read:content", "read:hierarchical-content", "read:confluence-content", "read:custom-content",
			"read:whiteboard", "read:database", "read:folder", "read:embed", "read:task", "read:template", "read:label", "read:analytics", "read:watcher",
		}},
		{Right{"Read attached files", false}, []string{"read:attachment", "readonly:content.attachment"}},
		{Right{"See which spaces there are", false}, []string{"read:space", "read:confluence-space"}},
		{Right{"Read the names of people you work with", false}, []string{"read:user", "read:group", "read:confluence-user", "read:confluence-groups"}},
		{Right{"Create and change pages as you", true}, []string{
			"write:page", "write:blogpost", "write:content", "write:confluence-content", "write:custom-content",
			"write:whiteboard", "write:database", "write:folder", "write:embed", "write:template",
		}},
		{Right{"Write comments as you", true}, []string{"write:comment"}},
		{Right{"Add labels, watches and tasks as you", true}, []string{"write:label", "write:watcher", "write:task", "write:confluence-props"}},
		{Right{"Attach files as you", true}, []string{"write:attachment", "write:confluence-file"}},
		{Right{"Change spaces and their settings as you", true}, []string{"write:space", "write:confluence-space", "write:configuration"}},
		{Right{"Delete what you may delete", true}, []string{"delete:"}},
		{Right{"Know which Atlassian account is yours", false}, []string{"read:me"}},
		{Right{"Stay connected until you take this back", false}, []string{"offline_access"}},
	}
}

// Of says in plain words what scopes allow; what has no words yet is shown
// as it is, never left out.
func Of(scopes []string) []Right {
	rest := slices.Compact(slices.Sorted(slices.Values(scopes)))
	var all []Right
	for _, m := range meanings() {
		before := len(rest)
		rest = slices.DeleteFunc(rest, func(scope string) bool {
			return slices.ContainsFunc(m.scopes, func(prefix string) bool { return strings.HasPrefix(scope, prefix) })
		})
		if len(rest) < before {
			all = append(all, m.Right)
		}
	}
	for _, scope := range rest {
		all = append(all, Right{Words: "Use the permission " + scope, Strong: true})
	}
	return all
}
