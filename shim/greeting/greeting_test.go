package greeting_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
)

const (
	origin = "https://vault.example.com"
	good   = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"x":{}},"serverInfo":{"name":"real","version":"2"},"instructions":"<b> & more"}`
	tools  = `{"tools":[{"name":"a","inputSchema":{"type":"object"}}]}`
)

func open(dir string) *greeting.Book {
	return greeting.Open(dir, origin, "v9", slog.New(slog.DiscardHandler))
}

func TestTheMinimumIsWhatClientsExpect(t *testing.T) {
	book := open("")
	for asked, agreed := range map[string]string{
		"2024-11-05": "2024-11-05", "2025-03-26": "2025-03-26", "2025-06-18": "2025-06-18", "2025-11-25": "2025-11-25",
		"2026-07-28": "2025-11-25", "2099-01-01": "2025-11-25", "": "2025-11-25",
	} {
		promise := greeting.ReadPromise(book.Initialize(asked))
		want := greeting.Promise{Revision: agreed, Tools: true, Changes: greeting.Lists{Tools: true, Prompts: true, Resources: true}, Logging: true}
		if diff := cmp.Diff(want, promise); diff != "" {
			t.Errorf("%s: %s", asked, diff)
		}
	}
	var discovered struct {
		Type     string   `json:"resultType"`
		Versions []string `json:"supportedVersions"`
		TTL      *int     `json:"ttlMs"`
		Scope    string   `json:"cacheScope"`
		Meta     map[string]struct{ Name, Version string }
	}
	if err := json.Unmarshal(book.Discover(), &discovered); err != nil || discovered.Type != "complete" || discovered.Versions[0] != greeting.Stateless || discovered.TTL == nil || discovered.Scope != "private" {
		t.Errorf("Discover = %s, %v", book.Discover(), err)
	}
	for revision, has := range map[string]bool{"2025-11-25": false, greeting.Stateless: true} {
		for _, result := range [][]byte{book.LeastTools(revision), book.CallFailed("no <way>", revision)} {
			if strings.Contains(string(result), `"resultType":"complete"`) != has {
				t.Errorf("in %s: %s", revision, result)
			}
		}
	}
	if !greeting.Speaks("2025-03-26") || greeting.Speaks("2025-03-27") {
		t.Error("Speaks")
	}
}

func TestWhatTheVaultSaidIsRemembered(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "answers")
	if !open(dir).Keep(greeting.Initialize, "2025-06-18", []byte(strings.ReplaceAll(good, ",", ",\n "))) {
		t.Fatal("not kept")
	}
	if !open(dir).Keep(greeting.Tools, greeting.Stateless, []byte(tools)) {
		t.Fatal("not kept")
	}
	book := open(dir)
	if got := string(book.Initialize("2025-06-18")); got != good {
		t.Errorf("Initialize = %s", got)
	}
	if got := string(book.Known(greeting.Tools, greeting.Stateless)); got != tools {
		t.Errorf("Known = %s", got)
	}
	if book.Known(greeting.Tools, "2025-06-18") != nil || strings.Contains(string(book.Initialize("2025-11-25")), "real") {
		t.Error("an answer for another revision was used")
	}
	if other := greeting.Open(dir, "https://other.example.com", "", slog.New(slog.DiscardHandler)); other.Known(greeting.Initialize, "2025-06-18") != nil {
		t.Error("an answer of another vault was used")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		if info, _ := e.Info(); runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
}

func TestKeepRefusesWhatIsNoAnswer(t *testing.T) {
	deep := `{"tools":[{"name":"a","inputSchema":{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}}]}`
	for name, test := range map[string]struct {
		kind   greeting.Kind
		result string
	}{
		"not JSON":            {greeting.Tools, `{"tools":[`},
		"a list":              {greeting.Tools, `[]`},
		"null":                {greeting.Tools, `null`},
		"no tools":            {greeting.Tools, `{}`},
		"a page of a list":    {greeting.Tools, `{"tools":[],"nextCursor":"x"}`},
		"a tool without name": {greeting.Tools, `{"tools":[{"inputSchema":{}}]}`},
		"a tool of its own":   {greeting.Tools, `{"tools":[7]}`},
		"too long":            {greeting.Tools, `{"tools":[],"x":"` + strings.Repeat("x", 600<<10) + `"}`},
		"too deep":            {greeting.Tools, deep},
		"two answers":         {greeting.Tools, `{"tools":[]},"id":2,"x":{}`},
		"unknown revision":    {greeting.Initialize, strings.Replace(good, "2025-06-18", "1999-01-01", 1)},
		"no capabilities":     {greeting.Initialize, `{"protocolVersion":"2025-06-18","serverInfo":{"name":"x","version":"1"}}`},
		"no versions":         {greeting.Discover, `{"capabilities":{}}`},
		"a question back":     {greeting.Discover, `{"resultType":"input_required","supportedVersions":["2026-07-28"],"capabilities":{}}`},
		"unknown kind":        {"other", tools},
	} {
		dir := t.TempDir()
		if open(dir).Keep(test.kind, "2025-06-18", []byte(test.result)) {
			t.Errorf("%s: kept", name)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
	if open(t.TempDir()).Keep(greeting.Tools, "../../x", []byte(tools)) {
		t.Error("kept for a revision that nobody knows")
	}
}

func TestPoisonedFilesAreNotUsed(t *testing.T) {
	write := func(t *testing.T, dir string) string {
		t.Helper()
		open(dir).Keep(greeting.Initialize, "2025-06-18", []byte(good))
		files, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		return files[0]
	}
	for name, spoil := range map[string]func(file string) error{
		"garbage":          func(f string) error { return os.WriteFile(f, []byte("\x00\xff garbage"), 0o600) },
		"empty":            func(f string) error { return os.WriteFile(f, nil, 0o600) },
		"half":             func(f string) error { return os.Truncate(f, 100) },
		"huge":             func(f string) error { return os.Truncate(f, 1<<30) },
		"of another vault": func(f string) error { return edit(f, "vault.example", "evil.example") },
		"of another kind":  func(f string) error { return edit(f, `"kind":"initialize"`, `"kind":"discover"`) },
		"without a name":   func(f string) error { return edit(f, `"name":"real"`, `"name":""`) },
		"a folder":         func(f string) error { _ = os.Remove(f); return os.Mkdir(f, 0o700) },
		"readable by all":  func(f string) error { return os.Chmod(f, 0o644) },
		"a link":           func(f string) error { _ = os.Rename(f, f+".x"); return os.Symlink(f+".x", f) },
	} {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS == "windows" && (name == "readable by all" || name == "a link") {
				t.Skip("no such modes")
			}
			dir := t.TempDir()
			if err := spoil(write(t, dir)); err != nil {
				t.Fatal(err)
			}
			book := open(dir)
			if known := book.Known(greeting.Initialize, "2025-06-18"); known != nil {
				t.Errorf("used %s", known)
			}
			if p := greeting.ReadPromise(book.Initialize("2025-06-18")); p.Revision != "2025-06-18" {
				t.Errorf("promise = %+v", p)
			}
			book.Keep(greeting.Initialize, "2025-06-18", []byte(good))
			if name != "a folder" && open(dir).Known(greeting.Initialize, "2025-06-18") == nil {
				t.Error("the spoilt file was not replaced")
			}
		})
	}
}

func edit(file, old, with string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(strings.Replace(string(text), old, with, 1)), 0o600)
}

func TestAFolderThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	book := open(filepath.Join(file, "below"))
	if !book.Keep(greeting.Initialize, "2025-06-18", []byte(good)) || string(book.Initialize("2025-06-18")) != good {
		t.Error("not even remembered in memory")
	}
}

func TestFits(t *testing.T) {
	base := greeting.Promise{Revision: "2025-06-18", Tools: true, Changes: greeting.Lists{Tools: true}}
	for name, test := range map[string]struct {
		told, now greeting.Promise
		want      bool
	}{
		"the same":         {base, base, true},
		"more":             {base, greeting.Promise{Revision: "2025-06-18", Tools: true, Changes: greeting.Lists{Tools: true}, Logging: true}, true},
		"another revision": {base, greeting.Promise{Revision: "2025-03-26", Tools: true}, false},
		"no tools":         {base, greeting.Promise{Revision: "2025-06-18"}, false},
		"stateless":        {greeting.Promise{Versions: []string{"2026-07-28"}}, greeting.Promise{Versions: []string{"2026-07-28", "2025-11-25"}}, true},
		"stateful only":    {greeting.Promise{Versions: []string{"2026-07-28"}}, greeting.Promise{Versions: []string{"2025-11-25"}}, false},
	} {
		if got := test.told.Fits(test.now); got != test.want {
			t.Errorf("%s: Fits = %v", name, got)
		}
	}
}
