package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/buildinfo"
	"github.com/coatcheck-mcp/coatcheck/shim"
	"github.com/coatcheck-mcp/coatcheck/shim/files"
	"github.com/coatcheck-mcp/coatcheck/shim/logs"
)

// parentCheck is how often it is looked whether the client still lives.
const parentCheck = time.Second

// serve carries messages until the client ends its input or itself. A client gets its
// answers even when the vault's address is wrong or missing, so that the person
// learns of it where they look; a person at a terminal is told right here.
func serve(ctx context.Context, p *program) error {
	atTerminal := isTerminal(p.in)
	if p.wrong != nil && (atTerminal || !p.onlyVault()) {
		return p.wrong
	}
	if atTerminal {
		p.watch()
		_, _ = fmt.Fprintln(p.err, `coatcheck: waiting for an MCP client's messages on standard input; "coatcheck --help" shows what else there is`)
	}
	tune()
	log := p.openLog(false)
	defer log.Close()
	in, restore := polled(p.in, p.out, p.err)
	defer restore()
	cfg := p.shim(log)
	cfg.Stdin = in
	if cfg.Network != nil {
		defer cfg.Network.Close()
	}
	ctx, cancel := context.WithCancel(ctx)
	var joined sync.WaitGroup
	defer joined.Wait()
	defer cancel()
	parent := os.Getppid() // now: it may end as soon as it has its answer
	cfg.Began = func() {
		p.watch()
		// Ends when the parent has ended, or with the context.
		joined.Go(func() {
			if orphaned(ctx, parent) {
				log.Logger().Info("the program that started this one has ended")
				cancel()
			}
		})
	}
	return shim.Run(ctx, cfg)
}

// shim describes the shim to run, with or without a vault to go to.
func (p *program) shim(log *logs.Log) shim.Config {
	host, user := p.hostAndUser()
	cfg := shim.Config{
		Stdout:   p.out,
		CacheDir: p.stateDir("answers"),
		Log:      log.Logger(),
		Version:  buildinfo.Version(),
		OS:       runtime.GOOS,
		Host:     host,
		User:     user,
	}
	if p.settings != nil {
		cfg.Files = files.Rules{Off: p.settings.NoFiles, Folders: p.settings.FileFolders, Only: p.settings.OnlyFolders}
	}
	way, err := p.network() // which reads the certificates of ca_file
	if p.wrong != nil {
		err = p.wrong
	}
	if err != nil {
		log.Logger().Error("no vault can be reached", "err", err)
		cfg.Problem = err
		return cfg
	}
	cfg.Network, cfg.VaultURL, cfg.Prover, cfg.OpenBrowser = way, p.settings.Vault, p.keeper(log.Logger()), p.opener()
	return cfg
}
