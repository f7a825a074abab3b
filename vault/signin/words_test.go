package signin

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRights wants every scope to be said, in plain words where there are any.
func TestRights(t *testing.T) {
	for name, test := range map[string]struct {
		scopes []string
		want   []right
	}{
		"reading": {
			[]string{"read:space:confluence", "read:page:confluence", "read:comment:confluence", "search:confluence"},
			[]right{{Words: "Search Confluence for you"}, {Words: "Read the pages, blog posts and comments that you may see"}, {Words: "See which spaces there are"}},
		},
		"writing": {
			[]string{"write:page:confluence", "write:page:confluence", "write:attachment:confluence", "delete:page:confluence"},
			[]right{{"Create and change pages as you", true}, {"Attach files as you", true}, {"Delete what you may delete", true}},
		},
		"ours":    {[]string{"read:me", "offline_access"}, []right{{Words: "Know which Atlassian account is yours"}, {Words: "Stay connected until you take this back"}}},
		"classic": {[]string{"read:confluence-content.all", "write:confluence-content"}, []right{{Words: "Read the pages, blog posts and comments that you may see"}, {"Create and change pages as you", true}}},
		"unknown": {[]string{"manage:everything"}, []right{{"Use the permission manage:everything", true}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, rights(test.scopes)); diff != "" {
				t.Errorf("rights(%v) (-want +got):\n%s", test.scopes, diff)
			}
		})
	}
}
