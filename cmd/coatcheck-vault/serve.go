package main

import (
	"context"
	"runtime/debug"

	"github.com/coatcheck-mcp/coatcheck/internal/buildinfo"
	"github.com/coatcheck-mcp/coatcheck/vault"
)

type serveCmd struct{}

// Run runs the vault until it is asked to stop.
func (serveCmd) Run(ctx context.Context, p program, c *cli) error {
	s, err := p.settings(c)
	if err != nil {
		return err
	}
	log := p.logger(s)
	for _, warning := range s.Warnings {
		log.Warn(warning)
	}
	if _, set := p.lookup("GOGC"); !set {
		debug.SetGCPercent(vault.GCPercent)
	}
	return vault.Run(ctx, vault.Config{Settings: s, Log: log, Version: buildinfo.Version()})
}

type migrateCmd struct{}

// Run opens the store, which brings its schema up to date.
func (migrateCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		return p.say("The store is up to date.")
	})
}
