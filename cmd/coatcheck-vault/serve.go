package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/coatcheck-mcp/coatcheck/internal/buildinfo"
	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/files/extract/pdf"
)

type serveCmd struct{}

// Run runs the vault until it is asked to stop.
func (serveCmd) Run(ctx context.Context, p program, c *cli) error {
	s, err := p.settings(c)
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	level.Set(s.Observability.Level())
	log := p.logger(level)
	for _, warning := range s.Warnings {
		log.Warn(warning)
	}
	p.tune()
	again, stop := hangups()
	defer stop()
	return vault.Run(ctx, vault.Config{
		Settings: s, Log: log, Version: buildinfo.Version(), Level: level, Again: again, Stamp: p.sources(c).Stamp,
		Reload: func() (*settings.Settings, error) { return p.settings(c) }, PDF: pdf.Apart(p.executable),
	})
}

// tune lets the collector work as a vault wants it, unless GOGC says something
// else.
func (p program) tune() {
	if _, set := p.lookup("GOGC"); !set {
		debug.SetGCPercent(vault.GCPercent)
	}
}

// hangups are the signals that ask to read the settings anew.
func hangups() (again <-chan struct{}, stop func()) {
	signals, asked, done := make(chan os.Signal, 1), make(chan struct{}, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() { // ends with stop
		defer close(done)
		for range signals {
			select {
			case asked <- struct{}{}:
			default: // it is asked for already
			}
		}
	}()
	return asked, func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}

type readPDFCmd struct{}

// Run reads a PDF file from standard input for a vault, which does not do that
// itself; see package pdf.
func (readPDFCmd) Run(p program) error { return pdf.Serve(os.Stdin, p.out) }

type migrateCmd struct{}

// Run opens the store, which brings its schema up to date.
func (migrateCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		return p.say("The store is up to date.")
	})
}
