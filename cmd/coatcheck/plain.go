package main

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/shim/settings"
)

const (
	commandServe  = "serve"
	flagConfig    = "config"
	flagNoBrowser = "no-browser"
	envConfig     = "COATCHECK_CONFIG"
)

// plain reads the command lines that stand in the configuration of MCP clients:
// the command that serves, or none, and settings. A client waits for the first
// answer, and making the parser of all command lines takes a tenth of that
// time. Whatever is not as simple, or wrong, is left to that parser: ok is
// false.
func plain(args []string) (flags map[string]string, config string, ok bool) {
	keys := map[string]string{flagConfig: flagConfig}
	for _, key := range settings.Keys() {
		keys[key.Flag] = key.Name
	}
	flags = map[string]string{}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == commandServe && !slices.Contains(args, commandServe) {
			continue
		}
		flag, isFlag := strings.CutPrefix(arg, "--")
		name, value, hasValue := strings.Cut(flag, "=")
		key := keys[name]
		if _, twice := flags[key]; twice || key == "" || !isFlag {
			return nil, "", false
		}
		switch {
		case name == flagNoBrowser && !hasValue:
			value = "true"
		case name == flagNoBrowser:
			return nil, "", false
		case !hasValue && len(args) > 0:
			value, args = args[0], args[1:]
		}
		if value == "" || value[0] == '-' || !utf8.ValidString(value) {
			return nil, "", false
		}
		flags[key] = value
	}
	config = flags[flagConfig]
	maps.DeleteFunc(flags, func(key, _ string) bool { return key == flagConfig })
	return flags, config, true
}

// load finds the settings, in config if that is not empty.
func (p *program) load(config string, flags map[string]string) {
	if config == "" {
		config, _ = p.lookup(envConfig)
	}
	p.settings, p.wrong = settings.Load(settings.Input{Places: p.places(), File: config, Lookup: p.lookup, Flags: flags})
}
