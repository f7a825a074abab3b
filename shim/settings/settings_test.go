package settings_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/shim/settings"
)

// input returns what Load looks at, with the given files and variables.
func input(t *testing.T, policy, file string, env map[string]string) settings.Input {
	t.Helper()
	dir := t.TempDir()
	places := settings.On("linux", filepath.Join(dir, "home"), "")
	places.Policy = filepath.Join(dir, "policy.yaml")
	write := func(name, text string) {
		if text == "" {
			return
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(places.Policy, policy)
	write(places.File, file)
	return settings.Input{Places: places, Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
}

// short makes the paths of a test's folder readable.
func short(in settings.Input, text string) string {
	return strings.NewReplacer(in.Places.Policy, "POLICY", in.Places.File, "FILE", in.Places.Logs, "LOGS").Replace(text)
}

func table(in settings.Input, s *settings.Settings) string {
	var b strings.Builder
	for _, v := range s.Values {
		b.WriteString(strings.TrimRight(v.Key+" = "+v.Text+" | "+string(v.Source)+" | "+v.Where, " |") + "\n")
	}
	return short(in, b.String())
}

func TestEachSourceIsStrongerThanTheOneBefore(t *testing.T) {
	in := input(t,
		"ca_file: /etc/ssl/acme.pem\nno_browser: true\n",
		"vault_url: https://file.example\nproxy: http://u:hunter2@proxy.example:3128\nca_file: /home/ada/own.pem\nlog_level: debug\nno_browser: false\n",
		map[string]string{
			"COATCHECK_VAULT_URL": "https://env.example", "COATCHECK_LOG_LEVEL": "ERROR",
			"HTTPS_PROXY": "http://ignored.example:1", "NO_PROXY": "intern.example",
		})
	in.Flags = map[string]string{"vault_url": "https://Flag.Example/", "ca_file": "/tmp/flag.pem"}
	s, err := settings.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	want := `vault_url = https://flag.example | flag | --vault
proxy = http://u:xxxxx@proxy.example:3128 | file | FILE:2
no_proxy = intern.example | system environment | NO_PROXY
ca_file = /etc/ssl/acme.pem | managed policy | POLICY:1
key_store = auto | default
log_level = error | environment | COATCHECK_LOG_LEVEL
log_dir = LOGS | default
no_browser = true | managed policy | POLICY:2
file_folders =  | default
no_files = false | default
`
	if diff := cmp.Diff(want, table(in, s)); diff != "" {
		t.Errorf("Load(-want +got):\n%s", diff)
	}
	if s.Proxy.Reveal() != "http://u:hunter2@proxy.example:3128" {
		t.Errorf("the proxy lost its password")
	}
	want = "ca_file from FILE:3 is not used: your company manages it (POLICY:1)\n" +
		"no_browser from FILE:5 is not used: your company manages it (POLICY:2)\n" +
		"ca_file from --ca-file is not used: your company manages it (POLICY:1)"
	got := strings.Split(short(in, strings.Join(s.Notes, "\n")), "\n")
	if diff := cmp.Diff(sorted(strings.Split(want, "\n")), sorted(got)); diff != "" {
		t.Errorf("notes(-want +got):\n%s", diff)
	}
}

func sorted(lines []string) map[string]bool {
	set := map[string]bool{}
	for _, line := range lines {
		set[line] = true
	}
	return set
}

func TestAllProblemsAtOnceWithLines(t *testing.T) {
	in := input(t, "vault_url: https://vault.example\nlog_levl: debug\n", `# a file with much to mend
log_level: loud
vualt_url: https://x.example
key_store: cloud
ca_file: own.pem
no_browser: perhaps
proxy: ftp://secret:canary@p
no_proxy: [a, b]
log_level: info
`, map[string]string{"COATCHECK_LOG_DIR": "logs"})
	in.Flags = map[string]string{"proxy": "http://me:canary@p:1"}
	_, err := settings.Load(in)
	var wrong *settings.Error
	if !errors.As(err, &wrong) {
		t.Fatalf("Load = %v, want an *Error", err)
	}
	want := `the settings are wrong:
  POLICY:2: unknown key "log_levl"; did you mean log_level?
  FILE:2: log_level: must be "debug", "info", "warn" or "error"
  FILE:3: unknown key "vualt_url"; did you mean vault_url?
  FILE:4: key_store: must be "auto", "keychain" or "file"
  FILE:5: ca_file: must be a whole path, from the root on
  FILE:6: no_browser: must be true or false
  FILE:7: proxy: the proxy's address is not usable: write it as "http://host:port" or "http://user:password@host:port" (socks5:// works too), with special characters of the password as %xx
  FILE:8: no_proxy: must be a single value
  FILE:9: log_level: is there twice, first at FILE:2
  --proxy: proxy: a password does not belong on the command line, where others can read it: put the proxy into the settings file
  COATCHECK_LOG_DIR: log_dir: must be a whole path, from the root on
Mend the settings and restart the program that started coatcheck.
`
	if diff := cmp.Diff(want, short(in, wrong.Text())); diff != "" {
		t.Errorf("Text(-want +got):\n%s", diff)
	}
	if wrong.OnlyVault() {
		t.Error("OnlyVault() = true")
	}
	if said := err.Error() + usererr.Text(err, ""); strings.Contains(said, "canary") {
		t.Errorf("a password is in %q", said)
	}
	if usererr.CodeOf(err) != usererr.Settings {
		t.Errorf("CodeOf = %q", usererr.CodeOf(err))
	}
}

func TestNoVaultNamed(t *testing.T) {
	in := input(t, "", "log_level: warn\nproxy:\n", nil)
	s, err := settings.Load(in)
	var wrong *settings.Error
	if !errors.As(err, &wrong) || !wrong.OnlyVault() {
		t.Fatalf("Load = %v, want only the vault to be missing", err)
	}
	text := usererr.Text(err, "")
	for _, want := range []string{"does not know its vault", in.Places.File, "COATCHECK_VAULT_URL", "--vault"} {
		if !strings.Contains(text, want) {
			t.Errorf("Text = %q, without %q", text, want)
		}
	}
	if s.LogLevel.String() != "WARN" { // what is right is used all the same
		t.Errorf("LogLevel = %v", s.LogLevel)
	}
}

func TestUnreadableFiles(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"syntax":    {"vault_url: \"https://x\nlog_level: info\n", "is not YAML"},
		"a list":    {"- vault_url\n", "FILE:1: must be lines of the form"},
		"a text":    {"hello\n", "FILE:1: must be lines of the form"},
		"two":       {"log_level: info\n---\nlog_level: warn\n", "more than one document"},
		"an anchor": {"vault_url: &a https://vault.example\nno_proxy: *a\n", "FILE:2: no_proxy: must be a single value"},
		"binary":    {"\x00\x01\x02", "is not YAML"},
		"long":      {strings.Repeat("# comment\n", 10_000), "longer than"},
		"a map key": {"{a: b}: c\n", "is not YAML"},
		"a tag":     {"vault_url: !!str https://v.example\n", "FILE:1: vault_url: must be a single value"},
		"a merge":   {"<<: {log_level: info}\n", "FILE:1: unknown key"},
		"a secret":  {"proxy: \"http://u:canary@p\nlog_level: info\n", "FILE:1: is not YAML: look for"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t, "", tt.text, nil)
			_, err := settings.Load(in)
			if err == nil || !strings.Contains(short(in, err.Error()), tt.want) {
				t.Errorf("Load = %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("a password is in %v", err)
			}
		})
	}
}

func TestAFileThatIsAskedForMustBeThere(t *testing.T) {
	in := input(t, "", "vault_url: https://other.example\n", nil)
	in.File = filepath.Join(t.TempDir(), "mine.yaml")
	if _, err := settings.Load(in); err == nil || !strings.Contains(err.Error(), "mine.yaml: cannot be read") {
		t.Errorf("Load = %v", err)
	}
	if err := os.WriteFile(in.File, []byte("\ufeffvault_url: https://mine.example\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := settings.Load(in)
	if err != nil || s.Vault.String() != "https://mine.example" {
		t.Errorf("Load = %v, %v", s.Vault, err)
	}
}

func TestAFolderInPlaceOfTheFile(t *testing.T) {
	in := input(t, "", "", nil)
	if err := os.MkdirAll(in.Places.File, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := settings.Load(in); err == nil || !strings.Contains(err.Error(), "cannot be read (not a file)") {
		t.Errorf("Load = %v", err)
	}
}

func TestAProxyOfNone(t *testing.T) {
	in := input(t, "", "vault_url: https://v.example\nproxy: none\n", map[string]string{"HTTPS_PROXY": "http://p:1"})
	s, err := settings.Load(in)
	if err != nil || !s.Proxy.Empty() {
		t.Errorf("Load: proxy set %v, %v", !s.Proxy.Empty(), err)
	}
}

func TestParseVault(t *testing.T) {
	good := map[string]string{
		"https://vault.example.com":      "https://vault.example.com",
		"HTTPS://Vault.Example.COM:8443": "https://vault.example.com:8443",
		"https://vault.example.com/":     "https://vault.example.com",
		"http://localhost:8080":          "http://localhost:8080",
		"http://127.0.0.2:1":             "http://127.0.0.2:1",
		"http://[::1]:8080":              "http://[::1]:8080",
		"https://[2001:db8::1]":          "https://[2001:db8::1]",
	}
	for text, want := range good {
		got, err := settings.ParseVault(text)
		if err != nil || got.String() != want {
			t.Errorf("ParseVault(%q) = %v, %v, want %s", text, got, err, want)
		}
	}
	bad := []string{
		"", "vault.example.com", "vault.example.com:443", "wss://vault.example.com", "ftp://x", "file:///etc/passwd", "https:", "https://", "https:///x",
		"http://vault.example.com", "http://10.0.0.1", "http://localhost.evil.example", "https://u:canary@vault.example", "https://canary@vault.example",
		"https://v.example/path", "https://v.example?q", "https://v.example?", "https://v.example#f", "https://v.example#", "https://v.example:0",
		"https://v.example:70000", "https://v.example:", "https://v.example:canary", "https://a b", "https:v.example", "https://%zz", "javascript:alert(1)",
		"https://[::1%25eth0]",
	}
	for _, text := range bad {
		got, err := settings.ParseVault(text)
		if err == nil {
			t.Errorf("ParseVault(%q) = %v, want an error", text, got)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("ParseVault(%q) repeats what it was given: %v", text, err)
		}
	}
}

func TestPlaces(t *testing.T) {
	tests := []struct {
		goos, home string
		want       settings.Places
	}{
		{"linux", "/home/ada", settings.Places{
			File: "/home/ada/.config/coatcheck/config.yaml", Policy: "/etc/coatcheck/policy.yaml",
			State: "/home/ada/.local/state/coatcheck", Logs: "/home/ada/.local/state/coatcheck",
		}},
		{"darwin", "/Users/ada", settings.Places{
			File: "/Users/ada/Library/Application Support/Coatcheck/config.yaml", Policy: "/Library/Application Support/Coatcheck/policy.yaml",
			State: "/Users/ada/Library/Application Support/Coatcheck", Logs: "/Users/ada/Library/Logs/Coatcheck",
		}},
		{"linux", "", settings.Places{Policy: "/etc/coatcheck/policy.yaml"}},
		{"windows", "", settings.Places{Policy: `HKLM\Software\Policies\Coatcheck`}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, settings.On(tt.goos, tt.home, "")); diff != "" {
			t.Errorf("On(%s, %s)(-want +got):\n%s", tt.goos, tt.home, diff)
		}
	}
	if p := settings.On("windows", "", filepath.Join("local")); p.File != filepath.Join("local", "Coatcheck", "config.yaml") {
		t.Errorf("On(windows).File = %s", p.File)
	}
}

// FuzzFile feeds the file's parser, which must neither crash nor let through a
// value that its key does not allow.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{"vault_url: https://v.example\n", "a: {b: [c]}\n", "? x\n: y\n", "&a a: *a\n", "\x00", "no_browser: yes\n", "%YAML 9.9\n---\n"} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(dir, "config.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := settings.Load(settings.Input{File: file})
		if s == nil || len(s.Values) != len(settings.Keys()) {
			t.Fatal("no settings")
		}
		if err == nil && s.Vault == nil {
			t.Error("no vault and no error")
		}
		if s.Vault != nil {
			if again, err := settings.ParseVault(s.Vault.String()); err != nil || again.String() != s.Vault.String() {
				t.Errorf("ParseVault(%q) = %v, %v", s.Vault, again, err)
			}
		}
	})
}

func TestFoldersForFiles(t *testing.T) {
	one, other := t.TempDir(), t.TempDir()
	list := one + string(filepath.ListSeparator) + string(filepath.ListSeparator) + other + string(filepath.Separator)
	s, err := settings.Load(settings.Input{Flags: map[string]string{"vault_url": "https://v.example", "file_folders": list, "no_files": "yes"}})
	if err != nil || !slices.Equal(s.FileFolders, []string{one, other}) || s.OnlyFolders || !s.NoFiles {
		t.Errorf("%q, only: %v, none: %v, %v", s.FileFolders, s.OnlyFolders, s.NoFiles, err)
	}
	for _, bad := range []string{"Documents", "~/Documents", filepath.VolumeName(one) + string(filepath.Separator)} {
		if s, err := settings.Load(settings.Input{Flags: map[string]string{"vault_url": "https://v.example", "file_folders": bad}}); err == nil || s.FileFolders != nil {
			t.Errorf("%s: %q, %v", bad, s.FileFolders, err)
		}
	}
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte("file_folders: "+one+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = settings.Load(settings.Input{
		Places: settings.Places{Policy: policy}, Flags: map[string]string{"vault_url": "https://v.example", "file_folders": other},
	})
	if err != nil || !slices.Equal(s.FileFolders, []string{one}) || !s.OnlyFolders {
		t.Errorf("with a policy: %q, only: %v, %v", s.FileFolders, s.OnlyFolders, err)
	}
}
