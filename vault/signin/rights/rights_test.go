package rights_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/signin/rights"
)

// TestRights wants every scope to be said, in plain words where there are any.
func TestRights(t *testing.T) {
	for name, test := range map[string]struct {
		scopes []string
		want   []rights.Right
	}{
		"reading": {
			[]string{"read:space:confluence", "read:page:confluence", "read:comment:confluence", "search:confluence"},
			[]rights.Right{{Words: "Search Confluence for you"}, {Words: "Read the pages, blog posts and comments that you may see"}, {Words: "See which spaces there are"}},
		},
		"writing": {
			[]string{"write:page:confluence", "write:page:confluence", "write:attachment:confluence", "delete:page:confluence"},
			[]rights.Right{{"Create and change pages as you", true}, {"Attach files as you", true}, {"Delete what you may delete", true}},
		},
		"ours":    {[]string{"read:me", "offline_access"}, []rights.Right{{Words: "Know which Atlassian account is yours"}, {Words: "Stay connected until you take this back"}}},
		"classic": {[]string{"read:confluence-content.all", "write:confluence-content"}, []rights.Right{{Words: "Read the pages, blog posts and comments that you may see"}, {"Create and change pages as you", true}}},
		"unknown": {[]string{"manage:everything"}, []rights.Right{{"Use the permission manage:everything", true}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, rights.Of(test.scopes)); diff != "" {
				t.Errorf("Of(%v) (-want +got):\n%s", test.scopes, diff)
			}
		})
	}
}
