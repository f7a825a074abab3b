package e2e_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
	"github.com/coatcheck-mcp/coatcheck/vault/anomaly/places/placestest"
)

// behind puts a proxy where laptops and browsers look for the vault, which says
// that everything comes from an address that the test chooses, and starts the
// vault elsewhere.
func behind(t *testing.T, w *world, environment ...string) *atomic.Pointer[string] {
	t.Helper()
	if err := w.StopVault(); err != nil {
		t.Fatal(err)
	}
	address, err := stage.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	from := new(atomic.Pointer[string])
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: address})
		r.Out.Host = r.In.Host
		// What a laptop says itself comes first, and is not believed.
		r.Out.Header["X-Forwarded-For"] = []string{"203.0.113.77, " + *from.Load()}
	}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }}
	nowhere := ""
	from.Store(&nowhere)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", w.Vaults[0].Address())
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() { _ = server.Serve(listener); close(done) }() // ends with Close
	t.Cleanup(func() { _ = server.Close(); <-done })
	environment = append(environment, "COATCHECK_NETWORK_LISTEN="+address, "COATCHECK_NETWORK_TRUSTED_PROXIES=127.0.0.0/8")
	if err := w.Vaults[0].Start(t.Context(), environment...); err != nil {
		t.Fatal(err)
	}
	return from
}

// TestFromAnotherCountry: a person who works in one country, and is then in
// another, at once and for the first time.
func TestFromAnotherCountry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{})
	file := filepath.Join(w.Dir, "vault", "country.mmdb")
	put := func(networks map[string]placestest.Map) {
		t.Helper()
		if err := os.WriteFile(file+".new", placestest.Database(networks), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	put(map[string]placestest.Map{"198.51.100.0/24": placestest.Country("DE"), "192.0.2.0/24": placestest.Country("AQ")})
	from := behind(t, w, "COATCHECK_ANOMALIES_COUNTRY_FILE=country.mmdb", "COATCHECK_ANOMALIES_NEW_NETWORK_ACTION=off", "COATCHECK_ANOMALIES_NEW_COUNTRY_LEARN=1s")
	read := func() int {
		said, err := os.ReadFile(w.VaultLog())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(said), "the countries of addresses were read")
	}
	if read() != 1 {
		t.Fatalf("the countries were read %d times at the start", read())
	}
	// A new month's file, which the running vault finds by itself.
	put(map[string]placestest.Map{"198.51.100.0/24": placestest.Country("DE"), "192.0.2.0/24": placestest.Country("BR")})

	home, abroad := "198.51.100.7", "192.0.2.1"
	from.Store(&home)
	s := w.connect(w.laptop("ada"), nil)
	w.signIn(s, "ada")
	for end := time.Now().Add(20 * time.Second); read() < 2; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("another file was not read")
		}
	}
	if _, err := call(t.Context(), s, "confluence_list_spaces", nil); err != nil {
		t.Fatal(err)
	}
	if said := w.vault("audit", "list", "--event", "anomaly", "--json"); strings.Contains(said, `"anomaly"`) {
		t.Errorf("at home: %s", said)
	}
	from.Store(&abroad)
	w.signIn(w.connect(w.laptop("elsewhere"), nil), "ada")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		said := w.vault("audit", "list", "--event", "anomaly", "--json")
		if strings.Contains(said, "of activity: BR; log") && strings.Contains(said, "two countries within 10 min: DE and BR; log") && strings.Contains(said, abroad) {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("abroad: %s", said)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
