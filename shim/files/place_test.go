package files_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/files"
)

func TestOnlyWhatTheCallNames(t *testing.T) {
	d := newDesk(t, files.Rules{})
	path := put(t, filepath.Join(d.work, "a.png"), "x")
	other := put(t, filepath.Join(d.work, "a.pn"), "x")
	body := "# Plan\n\n![a](" + path + ")\n\n[ref]: <" + path + ">\n"
	d.call("1", "confluence_upload_attachment", `{"path":`+quote(path)+`,"name":`+quote(other)+`}`)
	d.call("2", "confluence_update_page", `{"page":"7","body":`+quote(body)+`}`)
	d.call("3", "confluence_search", `{"query":`+quote(body)+`,"path":`+quote(path)+`,"folder":`+quote(d.work)+`}`)
	d.call("4", "confluence_edit_page", `{"edits":[{"text":`+quote("x ![y](<"+path+"> \"z\")")+`}]}`)
	d.call("5", "confluence_update_page", `{"body":`+quote("see "+path+" and `"+path+"`")+`}`)
	for _, tt := range []struct {
		call string
		mode wire.FileMode
		path string
		ok   bool
	}{
		{"1", wire.FileRead, path, true},
		{"1", wire.FileRead, other, false},
		{"1", wire.FileWrite, path, false},
		{"1", wire.FileWrite, d.work, false},
		{"1", "append", path, false},
		{"2", wire.FileRead, path, true},
		{"2", wire.FileRead, other, false}, // only the beginning of what stands there
		{"2", wire.FileWrite, path, false},
		{"3", wire.FileRead, path, false}, // no tool that moves files
		{"3", wire.FileWrite, d.work, false},
		{"4", wire.FileRead, path, true},
		{"5", wire.FileRead, path, false}, // not as an image or link
		{"9", wire.FileRead, path, false}, // no such call
		{"1", wire.FileRead, "", false},
		{"1", wire.FileRead, strings.Repeat("x", wire.MaxPath+1), false},
	} {
		_, a := d.open(wire.FileOpen{Call: tt.call, Mode: tt.mode, Path: tt.path})
		if (a.Code == "") != tt.ok {
			t.Errorf("call %s, %s of %.80s: %+v", tt.call, tt.mode, tt.path, a)
		}
	}
}

func TestOnlyAllowedFolders(t *testing.T) {
	base := t.TempDir()
	inside, outside := filepath.Join(base, "work"), filepath.Join(base, "work-other")
	for _, dir := range []string{filepath.Join(inside, "sub"), filepath.Join(inside, ".git"), outside} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	good := put(t, filepath.Join(inside, "sub", "a b.txt"), "x")
	secret := put(t, filepath.Join(outside, "secret"), "x")
	put(t, filepath.Join(inside, ".env"), "x")
	put(t, filepath.Join(inside, ".git", "config"), "x")
	uri := (&url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(filepath.ToSlash(good), "/")}).String()
	links := os.Symlink(outside, filepath.Join(inside, "out")) == nil &&
		os.Symlink(secret, filepath.Join(inside, "link")) == nil && os.Symlink("sub", filepath.Join(inside, "in")) == nil
	for path, code := range map[string]usererr.Code{
		good:                               "",
		uri:                                "",
		strings.ToUpper(uri[:4]) + uri[4:]: "",
		"sub/a b.txt":                      "",
		filepath.Join(inside, "x", "..", "sub", "a b.txt"): "",
		secret: usererr.Denied,
		filepath.Join(inside, "..", "work-other", "secret"): usererr.Denied,
		"../work-other/secret":                              usererr.Denied,
		filepath.Join(inside, ".env"):                       usererr.Denied,
		filepath.Join(inside, ".git", "config"):             usererr.Denied,
		inside:                                              usererr.BadInput,
		filepath.Join(inside, "missing"):                    usererr.NotFound,
		"~/a.txt":                                           usererr.Denied,
		"$HOME/a.txt":                                       usererr.Denied,
		`\\evil\share\x`:                                    usererr.Denied,
		"//evil/share/x":                                    usererr.Denied,
		"file://evil" + filepath.ToSlash(good):              usererr.BadInput,
		"file:relative":                                     usererr.BadInput,
		"/proc/self/environ":                                usererr.Denied,
		"/dev/zero":                                         usererr.Denied,
		filepath.Join(inside, "out", "secret"):              map[bool]usererr.Code{true: usererr.NotFound, false: usererr.NotFound}[links],
		filepath.Join(inside, "link"):                       usererr.NotFound,
	} {
		d := newDesk(t, files.Rules{Folders: []string{inside}})
		if _, a := d.upload(path); a.Code != string(code) {
			t.Errorf("%s: %+v, want %q", path, a, code)
		}
	}
	if links {
		d := newDesk(t, files.Rules{Folders: []string{inside}})
		if _, a := d.upload(filepath.Join(inside, "in", "a b.txt")); a.Code != "" {
			t.Errorf("a link that stays inside: %+v", a)
		}
		if _, a := d.download(filepath.Join(inside, "out"), "x", false); a.Code != string(usererr.NotFound) {
			t.Errorf("into a folder elsewhere: %+v", a)
		}
	}
	d := newDesk(t, files.Rules{Folders: []string{inside}})
	for _, folder := range []string{filepath.Join(inside, ".git"), outside, filepath.Join(inside, "missing")} {
		if _, a := d.download(folder, "x", true); a.Code == "" {
			t.Errorf("into %s: %+v", folder, a)
		}
	}
}

// A repository that somebody else made may have links to what is hidden in it.
func TestLinksDoNotLeadToWhatIsHidden(t *testing.T) {
	d := newDesk(t, files.Rules{})
	if err := os.MkdirAll(filepath.Join(d.work, ".git", "hooks"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(d.work, ".git", "config"), "secret")
	put(t, filepath.Join(d.work, ".env"), "secret")
	put(t, filepath.Join(d.work, "plain"), "x")
	for name, target := range map[string]string{
		"env": ".env", "git": ".git", "sub": ".", "chain": "env", "round": "sub/../plain", "way": ".git/../plain",
	} {
		if err := os.Symlink(target, filepath.Join(d.work, name)); err != nil {
			t.Skip(err) // not everybody may make links on Windows
		}
	}
	for path, code := range map[string]usererr.Code{
		"env": usererr.Denied, "chain": usererr.Denied, filepath.Join("git", "config"): usererr.Denied, filepath.Join("sub", "env"): usererr.Denied,
		"way": usererr.Denied, "plain": "", filepath.Join("sub", "sub", "plain"): "",
	} {
		if _, a := d.upload(filepath.Join(d.work, path)); a.Code != string(code) {
			t.Errorf("%s: %+v, want %q", path, a, code)
		}
	}
	if _, a := d.download(filepath.Join(d.work, "git", "hooks"), "post-checkout", false); a.Code != string(usererr.Denied) {
		t.Errorf("into a hidden folder: %+v", a)
	}
	d = newDesk(t, files.Rules{})
	if err := os.Symlink("loop", filepath.Join(d.work, "loop")); err != nil {
		t.Fatal(err)
	}
	if _, a := d.upload(filepath.Join(d.work, "loop")); a.Code == "" {
		t.Errorf("in circles: %+v", a)
	}
}

func TestShortNamesOfWindows(t *testing.T) {
	for name, want := range map[string]bool{
		"GIT~1": true, "env~1": true, "NPMRC~12.txt": true, "GITCON~1": true,
		"plan.txt": false, "plan~.txt": false, "~1x": false, "a longer name~1.txt": false, "x~1.html": false, "backup.~1~": false,
	} {
		if files.Alias(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestTheClientsFolders(t *testing.T) {
	work := t.TempDir()
	path := put(t, filepath.Join(work, "a.txt"), "x")
	uri := func(path string) string {
		return (&url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(filepath.ToSlash(path), "/")}).String()
	}
	for name, tt := range map[string]struct {
		rules files.Rules
		roots []string
		ok    bool
	}{
		"the folder":           {files.Rules{}, []string{uri(work)}, true},
		"among others":         {files.Rules{}, []string{"https://x.example/", uri(filepath.Join(work, "gone")), uri(work) + "/"}, true},
		"none":                 {files.Rules{}, []string{}, false},
		"the whole disk":       {files.Rules{}, []string{uri(filepath.VolumeName(work) + "/")}, false},
		"another computer's":   {files.Rules{}, []string{"file://evil.example" + filepath.ToSlash(work)}, false},
		"a relative one":       {files.Rules{}, []string{"file:."}, false},
		"not with the policy":  {files.Rules{Folders: []string{t.TempDir()}, Only: true}, []string{uri(work)}, false},
		"besides the settings": {files.Rules{Folders: []string{t.TempDir()}}, []string{uri(work)}, true},
		"switched off":         {files.Rules{Off: true}, []string{uri(work)}, false},
	} {
		d := newDesk(t, tt.rules, tt.roots...)
		if _, a := d.upload(path); (a.Code == "") != tt.ok || !tt.ok && a.Code != string(usererr.Denied) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestSafeName(t *testing.T) {
	for name, want := range map[string]string{
		"plan.txt": "plan.txt", "Übersicht 1.pdf": "Übersicht 1.pdf", "../../x": "x", `..\..\x`: "x", "/etc/passwd": "passwd", `C:\x`: "x",
		`\\evil\s\x`: "x", `\\?\`: "file", "CON": "_CON", "con.txt": "_con.txt", "Lpt¹.log": "_Lpt¹.log", "COM10": "COM10", "nul .x": "_nul .x",
		"a.txt:ads": "a.txt_ads", "x. . ": "x", " . ": "file", "a\x00b": "a_b", "-rf": "_-rf", ".bashrc": "_.bashrc", "~": "_~",
		"cod\u202eexe.txt": "codexe.txt", "": "file", "%2e%2e": "%2e%2e", "a\u2028b": "a_b", "\xff.txt": "_.txt", "..": "file",
		"~coatcheck-x.part": "_~coatcheck-x.part", `a<>"|?*b`: "a______b",
	} {
		if got := files.SafeName(name); got != want {
			t.Errorf("SafeName(%q) = %q, want %q", name, got, want)
		}
	}
	long := files.SafeName(strings.Repeat("ä", 300) + ".tar")
	if len(long) > 200 || !strings.HasSuffix(long, "ä.tar") {
		t.Errorf("a long one: %q", long)
	}
}

func FuzzSafeName(f *testing.F) {
	for _, seed := range []string{"a.txt", "CON", "..", "\u202e", strings.Repeat("x.", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := files.SafeName(name)
		switch again := files.SafeName(got); {
		case !filepath.IsLocal(got), strings.ContainsAny(got, "/\\:\x00"), got == "", got[0] == '.', len(got) > 201:
			t.Errorf("%q became %q", name, got)
		case again != got:
			t.Errorf("%q became %q and then %q", name, got, again)
		}
	})
}

func FuzzPermit(f *testing.F) {
	f.Add("![a](/x/y.png)", "/x/y.png")
	f.Add("[a]: </x y>", "/x y")
	f.Add("<", "<")
	f.Fuzz(func(t *testing.T, body, path string) {
		// Whatever stands there: no panic, and what is let through stands there.
		if files.Shows(fmt.Sprintf("%q", body), path) && !strings.Contains(body, path) {
			t.Errorf("%q is not in %q", path, body)
		}
	})
}
