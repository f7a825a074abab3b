package archtest_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/coatcheck-mcp/coatcheck/"

// everywhere may be imported by every package of the half it belongs to.
var (
	inVault    = []string{"vault/identity", "vault/ratelimit", "vault/remote", "vault/jsonapi", "internal/failpoint", "internal/durable", "internal/secret", "internal/usererr", "internal/buildinfo", "internal/typo", "internal/plaintext"}
	inInternal = []string{"internal/secret", "internal/usererr", "internal/buildinfo", "internal/typo", "internal/plaintext"}
)

// allowed says which packages of ours a package may import, beyond the ones
// above and its own sub-packages. A sub-package has the rights of its parent.
var allowed = map[string][]string{
	"cmd/coatcheck":         {"shim", "internal"},
	"cmd/coatcheck-vault":   {"vault", "vault/settings", "internal"},
	"shim":                  {"internal/wire", "internal/wsconn", "internal/dpop"},
	"vault":                 {"vault", "internal"},
	"vault/gateway":         {"vault/session", "vault/tools", "internal/wire", "internal/wsconn", "internal/dpop"},
	"vault/signin":          {"vault/consent", "vault/session", "vault/policy", "vault/audit", "vault/seal", "vault/grant", "internal/dpop", "internal/wire"},
	"vault/admin":           {"vault/session", "vault/grant", "vault/audit", "vault/ratelimit"},
	"vault/evidence":        {"vault/audit", "vault/seal", "vault/settings"},
	"vault/anomaly/webhook": {},
	"vault/anomaly/places":  {"vault/anomaly"},
	"vault/anomaly/watch":   {"vault/anomaly", "vault/audit", "vault/seal", "vault/session"},
	"vault/tools":           {"vault/guard", "vault/markup"},
	"vault/guard":           {"vault/policy", "vault/audit", "vault/grant", "vault/confluence", "vault/seal", "vault/markup"},
	"vault/consent":         {"vault/grant", "vault/seal"},
	"vault/grant":           {"vault/seal"},
	"vault/settings":        {"vault/policy", "vault/seal/keyurl", "vault/signin/oidc", "vault/anomaly"},
	"vault/store":           {"vault/grant", "vault/session", "vault/consent", "vault/audit", "vault/guard", "vault/seal", "vault/admin", "vault/signin/company", "vault/anomaly/watch", "internal/dpop"},
	"vault/policy":          {},
	"vault/anomaly":         {},
	"vault/audit":           {},
	"vault/session":         {},
	"vault/markup":          {},
	"vault/seal":            {},
	"vault/confluence":      {},
	"vault/identity":        {},
	"vault/keyring":         {"vault/seal", "vault/settings", "vault/store", "vault/grant", "vault/network"},
	"vault/network":         {"vault/settings", "vault/confluence"},
	"vault/ratelimit":       {},
	"internal/wire":         {},
	"internal/wsconn":       {"internal/wire"},
	"internal/dpop":         {},
	"internal/secret":       {},
	"internal/usererr":      {},
	"internal/buildinfo":    {},
	"internal/testenv":      {},
	"internal/typo":         {},
	"internal/plaintext":    {},
	"internal/failpoint":    {},
	"internal/durable":      {},
	"internal/archtest":     {},
	// The simulated Atlassian stands outside: it knows neither half.
	"internal/atlassiansim": {},
	"internal/keysim":       {}, // the same for key services
	"internal/demo":         {"internal", "vault", "shim", "cmd"},
	"internal/bench":        {"internal", "vault", "shim", "cmd"},
	"internal/e2e":          {"internal", "vault", "shim", "cmd"},
}

// doors says which packages may import a library; a library that is not named
// here may be imported by nobody.
var doors = map[string][]string{
	"github.com/jackc/pgx/v5":                         {"vault/store"},
	"github.com/alecthomas/kong":                      {"cmd", "internal/bench", "internal/demo"},
	"github.com/oschwald/maxminddb-golang/v2":         {"vault/anomaly/places"},
	"github.com/chromedp/chromedp":                    {"internal/testenv/browser"}, // and tests
	"github.com/pkg/browser":                          {"shim"},
	"github.com/zalando/go-keyring":                   {"shim"},
	"github.com/gofrs/flock":                          {"shim", "vault/store"},
	"github.com/gorilla/websocket":                    {"internal/wsconn", "internal/bench"},
	"github.com/go-jose/go-jose/v4":                   {"internal/dpop"},
	"golang.org/x/oauth2":                             {"vault/consent"},
	"github.com/coreos/go-oidc/v3":                    {"vault/signin/oidc"},
	"modernc.org/sqlite":                              {"vault/store"},
	"github.com/tink-crypto/tink-go/v2":               {"vault/seal"},
	"github.com/Azure/azure-sdk-for-go/sdk":           {"vault/seal"},
	"cloud.google.com/go/auth":                        {"vault/seal"},
	"google.golang.org/api":                           {"vault/seal"},
	"github.com/aws/aws-sdk-go-v2":                    {"vault/seal"},
	"github.com/aws/smithy-go":                        {"vault/seal"}, // the errors of the one above
	"github.com/modelcontextprotocol/go-sdk":          {"vault/tools", "vault/gateway", "internal/demo", "internal/bench", "vault"},
	"github.com/google/jsonschema-go":                 {"vault/tools", "internal/atlassiansim"},
	"github.com/ledongthuc/pdf":                       {"vault/tools/files/extract/pdf"}, // in a process of its own: it reads what anybody wrote
	"github.com/yuin/goldmark":                        {"vault/markup"},
	"github.com/JohannesKaufmann/html-to-markdown/v2": {"internal/bench"}, // to compare with
	"github.com/goccy/go-yaml":                        {"shim/settings"},  // costs nothing at the start of a program
	"go.yaml.in/yaml/v3":                              {"vault/settings", "internal/demo"},
	"golang.org/x/mod":                                {"vault/audit"},
	"golang.org/x/net":                                {"shim", "internal/atlassiansim", "vault/markup", "internal/bench"},
	"golang.org/x/sys":                                {"shim", "cmd", "vault/store"},
	"golang.org/x/time":                               {"vault", "vault/ratelimit", "vault/confluence", "vault/signin", "vault/guard"},
	"golang.org/x/sync":                               {"vault", "shim", "internal"},
}

// pure packages do no I/O and read no clock.
var pure = map[string][]string{
	"vault/policy":  {"net/http", "os", "database/sql", "math/rand", "math/rand/v2", "crypto/rand"},
	"vault/anomaly": {"net/http", "os", "database/sql", "math/rand", "math/rand/v2", "crypto/rand"},
	"vault/markup":  {"net/http", "os", "database/sql", "math/rand", "math/rand/v2", "crypto/rand"},
}

type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// under reports whether name is one of the roots or below one.
func under(name string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return name == root || strings.HasPrefix(name, root+"/")
	})
}

// owner finds the rule of a package: its own or the nearest parent's.
func owner(name string) (string, bool) {
	for at := name; at != "."; at = path.Dir(at) {
		if _, ok := allowed[at]; ok {
			return at, true
		}
	}
	return "", false
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if name+"/" == module || len(p.GoFiles) == 0 {
			continue
		}
		rule, ok := owner(name)
		if !ok {
			t.Errorf("%s has no import rule: add its line to archtest", name)
			continue
		}
		for _, imported := range p.Imports {
			if ours, mine := strings.CutPrefix(imported, module); mine {
				checkOurs(t, name, rule, ours)
			} else if strings.Contains(strings.SplitN(imported, "/", 2)[0], ".") {
				checkLibrary(t, name, imported)
			}
			if under(name, []string{rule}) && slices.Contains(pure[rule], imported) {
				t.Errorf("%s imports %s, but it must stay pure", name, imported)
			}
		}
	}
}

func checkOurs(t *testing.T, name, rule, imported string) {
	t.Helper()
	general := inInternal
	if under(name, []string{"vault"}) {
		general = inVault
	}
	if under(imported, []string{rule}) && rule != "vault" || under(imported, general) || under(imported, allowed[rule]) {
		// Nothing below vault/ may reach up to its assembly.
		if imported != "vault" || name == "vault" || under(name, []string{"cmd", "internal"}) {
			return
		}
	}
	t.Errorf("%s imports %s, which DESIGN §3 does not allow", name, imported)
}

func checkLibrary(t *testing.T, name, imported string) {
	t.Helper()
	for library, users := range doors {
		if !under(imported, []string{library}) {
			continue
		}
		for _, user := range users {
			if name == user || user != "vault" && under(name, []string{user}) {
				return
			}
		}
		t.Errorf("%s imports %s: that library's door is %s", name, imported, strings.Join(users, ", "))
		return
	}
	t.Errorf("%s imports %s, a library without a door in archtest", name, imported)
}

func TestTheHalvesNeverMeet(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			imported = strings.TrimPrefix(imported, module)
			if under(name, []string{"shim"}) && under(imported, []string{"vault"}) ||
				under(name, []string{"vault"}) && under(imported, []string{"shim"}) {
				t.Errorf("%s imports %s: shim and vault share only the wire", name, imported)
			}
		}
	}
}
