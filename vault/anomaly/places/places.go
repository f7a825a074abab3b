// Package places tells in which country an address is, by a database in
// MaxMind's format that a company puts beside its vault: GeoLite2 or GeoIP2
// (Country or City), one of DB-IP or IPinfo, or one of its own. Nobody outside
// is asked. The file is foreign bytes: it is read as a whole, up to a limit,
// and what is damaged in it says nothing.
package places

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/anomaly"
)

// Errors of files.
var (
	// ErrLarge says that a file is larger than any database of places.
	ErrLarge = errors.New("it is larger than 512 MiB")
	// ErrDamaged says that a file is no database, or that bytes of it are wrong.
	ErrDamaged = errors.New("it is no database in MaxMind's format (.mmdb), or it is damaged")
	// ErrNoCountry says that a database is about something else.
	ErrNoCountry = errors.New("it says something of addresses, but not their countries")

	errMoving = errors.New("it was written while it was read")
)

const (
	maxFile   = 512 << 20
	lookEvery = 3 * time.Second
)

// Config is what places are made from. Everything is required.
type Config struct {
	Path string // of the database
	Log  *slog.Logger
}

// Places is a database in memory. [Places.Locate] may be called from many
// goroutines, also while [Places.Run] runs.
type Places struct {
	cfg Config
	now atomic.Pointer[database]

	// What follows is Run's alone.
	seen os.FileInfo // of what was read last, good or not
	next os.FileInfo // of what has changed since, if it is not being written
	lost bool        // it was not there the last time
}

// Open reads the database. Its errors name no content of the file.
func Open(cfg Config) (*Places, error) {
	p := &Places{cfg: cfg}
	db, info, err := read(cfg.Path)
	if err != nil {
		return nil, err
	}
	p.take(db, info)
	return p, nil
}

// Locate says where an address is; false if nobody knows.
func (p *Places) Locate(addr netip.Addr) (anomaly.Place, bool) {
	db := p.now.Load()
	place, _, err := db.find(addr)
	if err != nil && db.damaged.CompareAndSwap(false, true) {
		p.cfg.Log.Error("the file with the countries of addresses is damaged: some addresses have no country", "file", p.cfg.Path)
	}
	return place, err == nil && place.Country != ""
}

// Run reads the file anew when another one is in its place, until ctx ends. One
// that is not good changes nothing.
func (p *Places) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.look(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// look reads a file that has changed once it has been the same for two looks,
// since before that somebody may still be writing it.
func (p *Places) look(ctx context.Context) {
	info, err := os.Stat(p.cfg.Path)
	if err != nil {
		if !p.lost {
			p.cfg.Log.ErrorContext(ctx, "the file with the countries of addresses cannot be read: what was read stays", "file", p.cfg.Path, "err", err)
		}
		p.lost = true
		return
	}
	p.lost = false
	if same(info, p.seen) {
		return
	}
	if !same(info, p.next) {
		p.next = info
		return
	}
	db, is, err := read(p.cfg.Path)
	switch {
	case errors.Is(err, errMoving):
		p.next = nil
	case err != nil:
		p.seen = info // it is said once
		p.cfg.Log.ErrorContext(ctx, "the file with the countries of addresses has changed and is not good: what was read stays", "file", p.cfg.Path, "err", err)
	default:
		p.take(db, is)
	}
}

func (p *Places) take(db *database, info os.FileInfo) {
	p.now.Store(db)
	p.seen, p.next = info, nil
	p.cfg.Log.Info("the countries of addresses were read", "file", p.cfg.Path, "built", db.built().UTC().Format(time.DateOnly))
}

func same(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// read reads a file into memory: one that is mapped would change, or end, under
// whoever looks something up.
func read(path string) (*database, os.FileInfo, error) {
	before, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("it cannot be read: %w", err)
	case !before.Mode().IsRegular(): // to open a pipe might take for ever
		return nil, nil, errors.New("it is no file")
	case before.Size() > maxFile:
		return nil, nil, ErrLarge
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("it cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	data := make([]byte, before.Size())
	if _, err := io.ReadFull(f, data); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, fmt.Errorf("it cannot be read: %w", err)
	}
	after, err := f.Stat()
	if err != nil || !same(before, after) {
		return nil, nil, errMoving
	}
	db, err := parse(data)
	return db, after, err
}
