package main

import (
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"runtime"

	"github.com/coatcheck-mcp/coatcheck/shim/device"
	"github.com/coatcheck-mcp/coatcheck/shim/logs"
	"github.com/coatcheck-mcp/coatcheck/shim/network"
	"github.com/coatcheck-mcp/coatcheck/shim/settings"
)

// home finds the home folder, also where a client passes no environment on.
func (p *program) home() string {
	name := "HOME"
	if runtime.GOOS == "windows" {
		name = "USERPROFILE"
	}
	if home, ok := p.lookup(name); ok && filepath.IsAbs(home) {
		return home
	}
	if who, err := user.Current(); err == nil && filepath.IsAbs(who.HomeDir) {
		return who.HomeDir
	}
	return ""
}

func (p *program) places() settings.Places {
	local, _ := p.lookup("LOCALAPPDATA")
	return settings.On(runtime.GOOS, p.home(), local)
}

// openLog starts the log of a command; talk is for commands that people type.
func (p *program) openLog(talk bool) *logs.Log {
	cfg := logs.Config{Level: p.settings.LogLevel, Stderr: p.err, Dir: p.settings.LogDir}
	if talk { // their output is words; the file has the rest
		cfg.Stderr = nil
	}
	log := logs.Open(cfg)
	for _, note := range p.settings.Notes {
		log.Logger().Warn(note)
	}
	return log
}

// keeper keeps this device's key for the vault of the settings.
func (p *program) keeper(log *slog.Logger) *device.Keeper {
	_, bus := p.lookup("DBUS_SESSION_BUS_ADDRESS")
	return device.New(device.Config{
		Dir:        p.stateDir("devices"),
		Origin:     p.settings.Vault.String(),
		Store:      p.settings.KeyStore,
		SessionBus: bus,
		Log:        log,
	})
}

// stateDir is a folder below the one for state, "" where there is none.
func (p *program) stateDir(name string) string {
	if dir := p.places().State; dir != "" {
		return filepath.Join(dir, name)
	}
	return ""
}

func (p *program) network() (*network.Network, error) {
	return network.New(network.Config{Proxy: p.settings.Proxy, NoProxy: p.settings.NoProxy, CAFile: p.settings.CAFile})
}

// host and user are shown on the vault's page; they decide nothing.
func (p *program) hostAndUser() (host, name string) {
	host, _ = os.Hostname() // "" says nothing, and is allowed
	for _, variable := range []string{"USER", "USERNAME", "LOGNAME"} {
		if name, ok := p.lookup(variable); ok && name != "" {
			return host, name
		}
	}
	if who, err := user.Current(); err == nil {
		return host, who.Username
	}
	return host, ""
}
