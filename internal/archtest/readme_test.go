package archtest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeNamesTestsThatExist keeps the table of what Coatcheck can do honest:
// a test, or a conversation, that it names is there.
func TestReadmeNamesTestsThatExist(t *testing.T) {
	root := filepath.Join("..", "..")
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err = filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, found := range function.FindAllSubmatch(source, -1) {
			declared[string(found[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`").FindAllSubmatch(readme, -1)
	if len(named) < 30 {
		t.Errorf("README.md names only %d tests", len(named))
	}
	for _, name := range named {
		if !declared[string(name[1])] {
			t.Errorf("README.md names %s, which is no test", name[1])
		}
	}
	for _, name := range regexp.MustCompile("`Golden/(\\w+)`").FindAllSubmatch(readme, -1) {
		if file := string(name[1]); file != "x" {
			if _, err := os.Stat(filepath.Join(root, "vault", "tools", "testdata", file+".txtar")); err != nil {
				t.Error(err)
			}
		}
	}
}
