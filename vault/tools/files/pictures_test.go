package files_test

import (
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/tools/files"
)

func TestAny(t *testing.T) {
	for text, want := range map[string]bool{
		"![a](img/a.png)": true, "`x` ![a](img/a.png)": true, "`![a](img/a.png)`": false, `\![a](img/a.png)`: false, "![a](a.png)": false,
		"![a](a.png) `x` ![b](<img/b c.png>)": true, "![a](https://x.example/a.png)": false, "```\n![a](img/a.png)\n```\n": false, "![a](data:image/png;base64,AAAA)": true,
	} {
		if got := files.Any(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// A long line with many images takes no longer than one with few, for its length.
func TestManyImagesOnOneLine(t *testing.T) {
	for name, text := range map[string]string{
		"to bring": strings.Repeat("![](a/b)", 400_000),
		"to leave": strings.Repeat("![](b)"+strings.Repeat("x", 60), 100_000) + "![](a/b)",
	} {
		begun := time.Now()
		if !files.Any(text) {
			t.Errorf("%s: none", name)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
	}
}
