package places

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/coatcheck-mcp/coatcheck/vault/anomaly"
)

// maxRadius is in km: with a point that is less exact than that, such as the
// middle of a country, distances mean nothing.
const maxRadius = 200

// probeTime is many times what it takes with databases as they are.
const probeTime = 2 * time.Second

// database is what a file says. It may be used from many goroutines.
type database struct {
	reader  *maxminddb.Reader
	damaged atomic.Bool // which was said
}

// parse reads a database, which keeps data. Its errors are [ErrDamaged] and
// [ErrNoCountry].
func parse(data []byte) (db *database, err error) {
	defer func() {
		if recover() != nil {
			db, err = nil, ErrDamaged
		}
	}()
	reader, err := maxminddb.OpenBytes(data, maxminddb.DisableStringCache())
	if err != nil {
		return nil, ErrDamaged
	}
	db = &database{reader: reader}
	if err := db.probe(); err != nil {
		return nil, err
	}
	return db, nil
}

func (db *database) built() time.Time { return db.reader.Metadata.BuildTime() }

// probe looks up an address in each /16, which takes a moment, finds out what
// the database is about, and meets most damage. The library's own check would
// refuse databases that can be read. Where each record is long, less will do.
func (db *database) probe() error {
	records, countries := false, false
	end := time.Now().Add(probeTime)
	ask := func(addr netip.Addr) error {
		place, found, err := db.find(addr)
		records, countries = records || found, countries || place.Country != ""
		return err
	}
	for n := range 1 << 16 {
		if n%256 == 0 && time.Now().After(end) {
			break
		}
		high, low := byte(n>>8), byte(n)
		if err := ask(netip.AddrFrom4([4]byte{high, low})); err != nil {
			return err
		}
		if high>>5 != 1 { // 2000::/3, where all addresses of the internet are
			continue
		}
		if err := ask(netip.AddrFrom16([16]byte{high, low})); err != nil {
			return err
		}
	}
	if records && !countries {
		return ErrNoCountry
	}
	return nil
}

// find looks an address up. Found says whether there is a record, of whatever;
// the only error is [ErrDamaged].
func (db *database) find(addr netip.Addr) (place anomaly.Place, found bool, err error) {
	defer func() {
		if recover() != nil {
			place, found, err = anomaly.Place{}, false, ErrDamaged
		}
	}()
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() || addr.Is6() && db.reader.Metadata.IPVersion == 4 {
		return place, false, nil
	}
	result := db.reader.Lookup(addr)
	if result.Err() != nil {
		return place, false, ErrDamaged
	}
	if !result.Found() {
		return place, false, nil
	}
	if place.Country, err = country(result); place.Country == "" {
		return place, true, err
	}
	var point struct {
		Lat    *float64 `maxminddb:"latitude"`
		Lon    *float64 `maxminddb:"longitude"`
		Radius uint64   `maxminddb:"accuracy_radius"`
	}
	if err := reading(result.DecodePath(&point, "location")); err != nil {
		return anomaly.Place{}, true, err
	}
	if point.Lat != nil && point.Lon != nil && point.Radius <= maxRadius {
		place.Point, place.Lat, place.Lon = true, *point.Lat, *point.Lon
	}
	return place, true, nil
}

// country is what a record calls its country, "" if there is none.
func country(r maxminddb.Result) (string, error) {
	for _, path := range [][]any{{"country", "iso_code"}, {"country_code"}, {"country"}} {
		var code string
		if err := reading(r.DecodePath(&code, path...)); err != nil {
			return "", err
		}
		if code = strings.ToUpper(code); isCountry(code) {
			return code, nil
		}
	}
	return "", nil
}

// isCountry reports whether code is one of ISO 3166-1, by its form and without
// the ones that stand for nowhere or for several countries.
func isCountry(code string) bool {
	letter := func(c byte) bool { return c >= 'A' && c <= 'Z' }
	return len(code) == 2 && letter(code[0]) && letter(code[1]) && !slices.Contains([]string{"ZZ", "XX", "EU", "AP"}, code)
}

// reading is [ErrDamaged] for an error about the file itself. Others are of what
// is only of another kind than what was looked for.
func reading(err error) error {
	if _, damaged := errors.AsType[maxminddb.InvalidDatabaseError](err); damaged {
		return ErrDamaged
	}
	return nil
}
