package anomaly

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrBlob says that bytes are no history, or one of a newer version.
var ErrBlob = errors.New("not a history of this version")

// MaxBlob is the longest a history can be, in bytes.
const MaxBlob = 4096

// Histories without countries are written as they were before there were any,
// so that vaults of both kinds can share a store.
const (
	blobVersion   = 1
	blobCountries = 2
	firstRules    = 7 // of blobVersion
)

// Append appends h to b, as [Parse] reads it.
func (h *History) Append(b []byte) []byte {
	w := writer{append(b, blobVersion)}
	if h.located != 0 {
		w = writer{append(b, blobCountries)}
	}
	w.i64(h.first, h.last, h.netFirst, h.netLast)
	w.u64(h.at[:]...)
	w.u8(uint8(len(h.networks)))
	for _, n := range h.networks {
		w.u64(n.mark)
		w.i64(n.first, n.last)
		w.b = append(w.b, n.place.country[:]...)
		w.u16(uint16(n.place.lat), uint16(n.place.lon))
	}
	w.window(&h.changes)
	w.window(&h.denials)
	w.window(&h.failures)
	w.i64(h.calls.slot)
	w.u32(h.calls.n, h.calls.windows, math.Float32bits(h.calls.mean), math.Float32bits(h.calls.dev))
	w.i64(h.hourLast, h.week)
	w.u32(h.hourCount)
	w.b = append(w.b, h.hour[:]...)
	w.i64(h.alarmed[:firstRules]...)
	if h.located != 0 {
		w.countries(h)
	}
	w.u8(uint8(len(h.spaces)))
	for i := range h.spaces {
		s := &h.spaces[i]
		w.u64(s.mark)
		w.i64(s.part)
		for part := range s.bits {
			w.u64(s.bits[part][:]...)
		}
	}
	return w.b
}

// Parse reads what [History.Append] wrote. Its only error is [ErrBlob].
func Parse(b []byte) (*History, error) {
	if len(b) == 0 || len(b) > MaxBlob || b[0] != blobVersion && b[0] != blobCountries {
		return nil, ErrBlob
	}
	r, h := &reader{b: b[1:]}, new(History)
	r.i64(&h.first, &h.last, &h.netFirst, &h.netLast)
	r.u64(&h.at[0], &h.at[1])
	for range r.list(maxNetworks) {
		var n network
		var lat, lon uint16
		r.u64(&n.mark)
		r.i64(&n.first, &n.last)
		copy(n.place.country[:], r.take(2))
		r.u16(&lat, &lon)
		n.place.lat, n.place.lon = int16(lat), int16(lon)
		h.networks = append(h.networks, n)
	}
	r.window(&h.changes)
	r.window(&h.denials)
	r.window(&h.failures)
	var mean, dev uint32
	r.i64(&h.calls.slot)
	r.u32(&h.calls.n, &h.calls.windows, &mean, &dev)
	h.calls.mean, h.calls.dev = math.Float32frombits(mean), math.Float32frombits(dev)
	r.i64(&h.hourLast, &h.week)
	r.u32(&h.hourCount)
	copy(h.hour[:], r.take(hoursOfWeek))
	for i := range firstRules {
		r.i64(&h.alarmed[i])
	}
	if b[0] == blobCountries {
		r.countries(h)
	}
	for range r.list(maxSpaces) {
		var s space
		r.u64(&s.mark)
		r.i64(&s.part)
		for part := range s.bits {
			for word := range s.bits[part] {
				r.u64(&s.bits[part][word])
			}
		}
		h.spaces = append(h.spaces, s)
	}
	if r.bad || len(r.b) > 0 || !finite(h.calls.mean) || !finite(h.calls.dev) {
		return nil, ErrBlob
	}
	return h, nil
}

// finite reports whether f can be a mean or a deviation.
func finite(f float32) bool { return f >= 0 && f <= math.MaxFloat32 }

type writer struct{ b []byte }

func (w *writer) countries(h *History) {
	w.i64(h.alarmed[firstRules:]...)
	w.i64(h.located)
	w.u8(uint8(len(h.visits)))
	for _, v := range h.visits {
		w.b = append(w.b, v.country[:]...)
		w.i64(v.first, v.last)
	}
}

func (w *writer) u8(v uint8) { w.b = append(w.b, v) }

func (w *writer) u16(all ...uint16) {
	for _, v := range all {
		w.b = binary.BigEndian.AppendUint16(w.b, v)
	}
}

func (w *writer) u32(all ...uint32) {
	for _, v := range all {
		w.b = binary.BigEndian.AppendUint32(w.b, v)
	}
}

func (w *writer) u64(all ...uint64) {
	for _, v := range all {
		w.b = binary.BigEndian.AppendUint64(w.b, v)
	}
}

func (w *writer) i64(all ...int64) {
	for _, v := range all {
		w.b = binary.BigEndian.AppendUint64(w.b, uint64(v))
	}
}

func (w *writer) window(of *window) {
	w.i64(of.part)
	w.u16(of.n[:]...)
}

// reader takes what is there; once something was missing it is bad, and gives
// zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || len(r.b) < n {
		r.bad = true
		return make([]byte, n)
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

// list is the length of a list, 0 if it is too long.
func (r *reader) list(most int) int {
	n := int(r.take(1)[0])
	if n > most {
		r.bad = true
		return 0
	}
	return n
}

func (r *reader) u16(all ...*uint16) {
	for _, v := range all {
		*v = binary.BigEndian.Uint16(r.take(2))
	}
}

func (r *reader) u32(all ...*uint32) {
	for _, v := range all {
		*v = binary.BigEndian.Uint32(r.take(4))
	}
}

func (r *reader) u64(all ...*uint64) {
	for _, v := range all {
		*v = binary.BigEndian.Uint64(r.take(8))
	}
}

// i64 takes times and numbers of windows, which are not negative.
func (r *reader) i64(all ...*int64) {
	for _, v := range all {
		n := int64(binary.BigEndian.Uint64(r.take(8)))
		r.bad = r.bad || n < 0
		*v = max(n, 0)
	}
}

func (r *reader) countries(h *History) {
	for i := firstRules; i < ruleCount; i++ {
		r.i64(&h.alarmed[i])
	}
	r.i64(&h.located)
	r.bad = r.bad || h.located == 0
	for range r.list(maxVisits) {
		var v visit
		copy(v.country[:], r.take(2))
		r.i64(&v.first, &v.last)
		h.visits = append(h.visits, v)
	}
}

func (r *reader) window(of *window) {
	r.i64(&of.part)
	for i := range of.n {
		r.u16(&of.n[i])
	}
}
