package places_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/anomaly"
	"github.com/coatcheck-mcp/coatcheck/vault/anomaly/places"
	"github.com/coatcheck-mcp/coatcheck/vault/anomaly/places/placestest"
)

type m = placestest.Map

// world is a database with records of several makers.
func world() map[string]m {
	return map[string]m{
		"198.51.100.0/24":  placestest.Country("DE"),
		"203.0.113.0/25":   {"country": m{"iso_code": "CH", "geoname_id": uint32(2658434)}, "location": m{"latitude": 47.37, "longitude": 8.54, "accuracy_radius": uint16(20)}},
		"203.0.113.128/25": {"country": m{"iso_code": "US"}, "location": m{"latitude": 37.751, "longitude": -97.822, "accuracy_radius": uint16(1000)}},
		"192.0.2.0/26":     {"country": "Brazil", "country_code": "BR"},
		"192.0.2.64/26":    {"country": "nz"},
		"192.0.2.128/26":   {"registered_country": m{"iso_code": "FR"}},
		"192.0.2.192/27":   placestest.Country("ZZ"),
		"192.0.2.224/28":   {"country": m{"iso_code": m{}}, "location": "here"},
		"192.0.2.240/28":   {"country": m{"iso_code": "JP"}, "location": m{"latitude": "north"}},
		"2001:db8::/32":    placestest.Country("SE"),
	}
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// log is what was said.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// open returns places of data, in a file, and the log.
func open(t *testing.T, data []byte) (*places.Places, string, *log) {
	t.Helper()
	name, text := filepath.Join(t.TempDir(), "country.mmdb"), new(log)
	write(t, name, data)
	p, err := places.Open(places.Config{Path: name, Log: slog.New(slog.NewTextHandler(text, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return p, name, text
}

func TestLocate(t *testing.T) {
	p, _, _ := open(t, placestest.Database(world()))
	for addr, want := range map[string]anomaly.Place{
		"198.51.100.7":        {Country: "DE"},
		"::ffff:198.51.100.7": {Country: "DE"},
		"203.0.113.9":         {Country: "CH", Point: true, Lat: 47.37, Lon: 8.54},
		"203.0.113.200":       {Country: "US"}, // the middle of the country
		"192.0.2.1":           {Country: "BR"},
		"192.0.2.65":          {Country: "NZ"},
		"192.0.2.129":         {},
		"192.0.2.193":         {},
		"192.0.2.225":         {},
		"192.0.2.241":         {Country: "JP"},
		"2001:db8::1%eth0":    {Country: "SE"},
		"2001:db9::1":         {},
		"10.1.2.3":            {},
		"127.0.0.1":           {},
	} {
		got, known := p.Locate(netip.MustParseAddr(addr))
		if diff := cmp.Diff(want, got); diff != "" || known != (want.Country != "") {
			t.Errorf("%s: known is %v\n%s", addr, known, diff)
		}
	}
	if _, known := p.Locate(netip.Addr{}); known {
		t.Error("it knows where no address is")
	}
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	good := placestest.Database(world())
	damaged := bytes.Clone(good)
	for i := range 60 { // of the tree
		damaged[i] = 0xff
	}
	write(t, filepath.Join(dir, "text"), []byte("198.51.100.0/24,DE\n"))
	write(t, filepath.Join(dir, "empty"), nil)
	write(t, filepath.Join(dir, "half"), good[:len(good)/2])
	write(t, filepath.Join(dir, "damaged"), damaged)
	write(t, filepath.Join(dir, "networks"), placestest.Database(map[string]m{"198.0.0.0/8": {"autonomous_system_number": uint32(64500)}}))
	write(t, filepath.Join(dir, "large"), nil)
	if err := os.Truncate(filepath.Join(dir, "large"), 1<<40); err != nil {
		t.Logf("no large file: %v", err)
		write(t, filepath.Join(dir, "large"), nil)
	}
	for name, want := range map[string]error{
		"text": places.ErrDamaged, "empty": places.ErrDamaged, "half": places.ErrDamaged, "damaged": places.ErrDamaged,
		"networks": places.ErrNoCountry, "large": places.ErrLarge, "nothing": fs.ErrNotExist,
	} {
		if _, err := places.Open(places.Config{Path: filepath.Join(dir, name), Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	if _, err := places.Open(places.Config{Path: dir, Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("a folder is a database")
	}
}

// TestDamageInOnePlace is met by whoever looks there, and said once.
func TestDamageInOnePlace(t *testing.T) {
	networks := world()
	networks["2001:db8::/32"] = placestest.Country("QQ")
	data := placestest.Database(networks)
	at := bytes.Index(data, []byte("\x42QQ"))
	data[at] = 0xff // a kind that there is not, with a length beyond the end
	p, _, said := open(t, data)
	for range 3 {
		if place, known := p.Locate(netip.MustParseAddr("2001:db8::1")); known || place != (anomaly.Place{}) {
			t.Errorf("a damaged record says %+v", place)
		}
	}
	if place, _ := p.Locate(netip.MustParseAddr("198.51.100.7")); place.Country != "DE" {
		t.Errorf("the others say %+v", place)
	}
	if n := strings.Count(said.String(), "level=ERROR"); n != 1 {
		t.Errorf("%d errors are said:\n%s", n, said)
	}
}

// TestAnotherFile replaces the file in several ways while it is in use.
func TestAnotherFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files that are open are not replaced there")
	}
	synctest.Test(t, func(t *testing.T) {
		p, name, said := open(t, placestest.Database(world()))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = p.Run(ctx) })
		running.Go(func() { // with the race detector on
			for ctx.Err() == nil {
				p.Locate(netip.MustParseAddr("198.51.100.7"))
				time.Sleep(time.Second)
			}
		})
		country := func() string {
			place, _ := p.Locate(netip.MustParseAddr("198.51.100.7"))
			return place.Country
		}
		networks := maps.Clone(world())
		time.Sleep(time.Second) // from here on there is always one between two looks
		step := func(what, want string, errors int, change func()) {
			t.Helper()
			change()
			time.Sleep(time.Minute)
			synctest.Wait()
			if got, n := country(), strings.Count(said.String(), "level=ERROR"); got != want || n != errors {
				t.Errorf("%s: it is in %s, want %s; %d errors, want %d\n%s", what, got, want, n, errors, said)
			}
		}
		put := func(code string) func() {
			return func() {
				networks["198.51.100.0/24"] = placestest.Country(code)
				write(t, name+".new", placestest.Database(networks))
				if err := os.Rename(name+".new", name); err != nil {
					t.Fatal(err)
				}
			}
		}
		step("another file", "AT", 0, put("AT"))
		step("one that is not good", "AT", 1, func() { write(t, name, []byte("nonsense")) })
		step("none", "AT", 2, func() { _ = os.Remove(name) })
		step("back again", "DK", 2, put("DK"))
		step("written in place", "PL", 2, func() {
			put("PL")()
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			write(t, name, data[:len(data)/2])
			time.Sleep(4 * time.Second) // one look
			write(t, name, data)
		})
		cancel()
		running.Wait()
	})
}

// FuzzLocate: whatever a file says, it is refused, or some addresses are
// somewhere.
func FuzzLocate(f *testing.F) {
	data := placestest.Database(world())
	f.Add(data, uint32(0), byte(0))
	for _, at := range []int{0, 5, 100, len(data) / 2, len(data) - 30} {
		f.Add(data, uint32(at), byte(0xff))
	}
	f.Add([]byte("\xab\xcd\xefMaxMind.com\xe0"), uint32(0), byte(0))
	f.Fuzz(func(t *testing.T, data []byte, at uint32, with byte) {
		if len(data) > 0 {
			data[int(at)%len(data)] ^= with
		}
		name := filepath.Join(t.TempDir(), "x")
		write(t, name, data)
		p, err := places.Open(places.Config{Path: name, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			if !errors.Is(err, places.ErrDamaged) && !errors.Is(err, places.ErrNoCountry) {
				t.Errorf("it is refused with %v", err)
			}
			return
		}
		for _, addr := range []string{"198.51.100.7", "203.0.113.9", "203.0.113.200", "192.0.2.1", "192.0.2.225", "192.0.2.241", "2001:db8::1", "::", "10.0.0.1"} {
			if place, known := p.Locate(netip.MustParseAddr(addr)); known != (len(place.Country) == 2) {
				t.Errorf("%s is in %+v", addr, place)
			}
		}
	})
}

func BenchmarkLocate(b *testing.B) {
	name := filepath.Join(b.TempDir(), "x")
	if err := os.WriteFile(name, placestest.Database(world()), 0o600); err != nil {
		b.Fatal(err)
	}
	p, err := places.Open(places.Config{Path: name, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.Locate(netip.MustParseAddr("203.0.113.9"))
	}
}
