package files_test

import (
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/tools/files"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

func TestAny(t *testing.T) {
	for text, want := range map[string]bool{
		"![a](img/a.png)": true, "`x` ![a](img/a.png)": true, "`![a](img/a.png)`": false, `\![a](img/a.png)`: false, "![a](a.png)": false,
		"![a](a.png) `x` ![b](<img/b c.png>)": true, "![a](https://x.example/a.png)": false, "```\n![a](img/a.png)\n```\n": false, "![a](data:image/png;base64,AAAA)": true,
		// Code is code wherever it stands, and text goes on over the end of a line.
		"1. a\n\n    ```md\n    ![a](img/a.png)\n    ```\n": false, "> ~~~\n> ![a](img/a.png)\n> ~~~": false, "- ```\n  ![a](img/a.png)\n  ```\n": false,
		"a\n\n    ![a](img/a.png)\n": false, "`a\n![a](img/a.png)`": false, "``a` ![a](img/a.png)``": false, "<pre>\n![a](img/a.png)\n</pre>\n": false,
		"1. a\n\n    ![a](img/a.png)\n": true, "> ![a](img/a.png)": true, "| a |\n|---|\n| ![a](img/a.png) |": true, "[![a](img/a.png)](https://x.example/)": true,
		"```\n```\n![a](img/a.png)": true, "it`s ![a](img/a.png)": true, "![a\nb](img/a.png)": true, "a\r\n\r\n![a](img/a.png)\r\n": true,
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
		if files.Any(text) != (name == "to bring") { // what comes behind thousands of images in one paragraph stays text
			t.Errorf("%s: %v", name, files.Any(text))
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
	}
}

// An image may stand in the description of another.
func TestImageInAnImage(t *testing.T) {
	got, err := files.Of(&tool.Set{}, "![a ![b](data:image/png;base64,AAAA) c](data:image/gif;base64,AAAA) d").Text(t.Context())
	if want := "![a ![b](image-709e80c884.png) c](image-709e80c884.gif) d"; got != want || err != nil {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}
