package e2e_test

import (
	"database/sql"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// TestADumpTellsNothing reads a dump of the database, and every file of the
// vault but its key, as a thief would: no token is in it. After a revocation not
// even what the key would open is there any more.
func TestADumpTellsNothing(t *testing.T) {
	t.Parallel()
	server := newPostgres(t)
	url := server.Database(t)
	w := newWorld(t, stage.Options{Store: url, Sim: atlassiansim.Options{Canary: canary}})
	w.signIn(w.connect(w.laptop("ada"), nil), "ada")

	seen := map[string]string{"the dump": string(server.Dump(t, url))}
	w.searchFiles(seen)
	if !strings.Contains(seen["the dump"], "Ada Berger") {
		t.Fatal("the dump does not even have the person: this test would find nothing")
	}
	needles := append(w.Sim.Secrets(), canary)
	for where, text := range seen {
		for _, needle := range needles {
			if strings.Contains(text, needle) || strings.Contains(strings.ToLower(text), hex.EncodeToString([]byte(needle))) {
				t.Errorf("a secret is in %s", where)
				break
			}
		}
	}
	if key, err := os.ReadFile(w.Dir + "/vault/kek"); err != nil || len(key) == 0 {
		t.Errorf("the key is not where the test thinks: %v", err)
	}

	sealed := sealedOf(t, url)
	for name, bytes := range sealed {
		if !strings.Contains(seen["the dump"], hex.EncodeToString(bytes)) {
			t.Errorf("%s is not in the dump: this test would find nothing", name)
		}
	}
	if out := w.vault("revoke", "--person", personOf(t, url), "--yes"); !strings.Contains(out, "1 grant.") {
		t.Fatal(out)
	}
	after := string(server.Dump(t, url))
	for name, bytes := range sealed {
		if strings.Contains(after, hex.EncodeToString(bytes)) {
			t.Errorf("%s is in the dump after the revocation", name)
		}
	}
}

func personOf(t *testing.T, url string) (person string) {
	t.Helper()
	query(t, url, "SELECT person FROM grants", &person)
	return person
}

// sealedOf returns what is sealed of the only grant.
func sealedOf(t *testing.T, url string) map[string][]byte {
	t.Helper()
	var key, access, refresh []byte
	query(t, url, "SELECT data_key, access, refresh FROM grants", &key, &access, &refresh)
	return map[string][]byte{"the wrapped data key": key, "the sealed access token": access, "the sealed refresh token": refresh}
}

func query(t *testing.T, url, text string, into ...any) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), text).Scan(into...); err != nil {
		t.Fatal(err)
	}
}
