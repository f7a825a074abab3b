// Package placestest makes databases of places for tests.
package placestest

import (
	"encoding/binary"
	"maps"
	"math"
	"net/netip"
	"slices"
)

// Map is a record, or a part of one: of strings, float64s, uint16s and Maps.
type Map map[string]any

// Country is a record that names a country, as in GeoLite2 Country.
func Country(code string) Map { return Map{"country": Map{"iso_code": code}} }

const (
	separator = 16
	version   = 6
	recordLen = 24 // bits
)

// node has two records: 0 for nothing yet, another node's number, or, if it is
// negative, the complement of a place in the data.
type node [2]int

// Database returns a file with a record for each network, none in another. It
// panics where a network is none.
func Database(networks map[string]Map) []byte {
	tree, data := []node{{}}, []byte(nil)
	for _, text := range slices.Sorted(maps.Keys(networks)) {
		prefix := netip.MustParsePrefix(text)
		bits := prefix.Bits()
		addr := prefix.Addr().As16()
		if prefix.Addr().Is4() { // which stand below ::/96
			four := prefix.Addr().As4()
			addr, bits = [16]byte{}, bits+96
			copy(addr[12:], four[:])
		}
		at := 0
		for i := range bits - 1 {
			side := bit(addr, i)
			if tree[at][side] == 0 {
				tree[at][side] = len(tree)
				tree = append(tree, node{})
			}
			at = tree[at][side]
		}
		tree[at][bit(addr, bits-1)] = ^len(data)
		data = encode(data, networks[text])
	}
	return file(tree, data)
}

func bit(addr [16]byte, i int) byte { return addr[i/8] >> (7 - i%8) & 1 }

func file(tree []node, data []byte) []byte {
	var out []byte
	for _, n := range tree {
		for _, record := range n {
			switch {
			case record == 0:
				record = len(tree)
			case record < 0:
				record = len(tree) + separator + ^record
			}
			out = append(out, byte(record>>16), byte(record>>8), byte(record))
		}
	}
	out = append(append(out, make([]byte, separator)...), data...)
	out = append(out, "\xab\xcd\xefMaxMind.com"...)
	return encode(out, Map{
		"binary_format_major_version": uint16(2), "binary_format_minor_version": uint16(0), "build_epoch": uint64(1767225600),
		"database_type": "Test", "description": Map{"en": "made by a test"}, "languages": []string{"en"},
		"ip_version": uint16(version), "node_count": uint32(len(tree)), "record_size": uint16(recordLen),
	})
}

// encode appends a value; see the specification of the MaxMind DB format. Texts
// are shorter than 29 bytes.
func encode(b []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return append(append(b, 2<<5|byte(len(v))), v...)
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 3<<5|8), math.Float64bits(v))
	case uint16:
		return binary.BigEndian.AppendUint16(append(b, 5<<5|2), v)
	case uint32:
		return binary.BigEndian.AppendUint32(append(b, 6<<5|4), v)
	case uint64:
		return binary.BigEndian.AppendUint64(append(b, 8, 9-7), v)
	case []string:
		b = append(b, byte(len(v)), 11-7)
		for _, text := range v {
			b = encode(b, text)
		}
	case Map:
		b = append(b, 7<<5|byte(len(v)))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b = encode(encode(b, key), v[key])
		}
	}
	return b
}
