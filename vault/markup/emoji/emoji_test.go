package emoji_test

import (
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/emoji"
)

func TestNames(t *testing.T) {
	for name, want := range map[string]string{"tick": "✅", "thumbs-up": "👍", "broken-heart": "💔", "blue-star": ""} {
		if got := emoji.Emoticon(name); got != want {
			t.Errorf("Confluence's %s is %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"tada": "🎉", "+1": "👍", "white_check_mark": "✅", "no_such": ""} {
		if got := emoji.Character(name); got != want {
			t.Errorf(":%s: is %q, want %q", name, got, want)
		}
	}
}
