package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/shim/settings"
)

// summary is a command line in short.
func summary(args []string) string {
	l, err := parse(args)
	if err != nil {
		return "error: " + err.Error()
	}
	said := l.command.name
	if l.help {
		said += " help"
	}
	if l.version {
		said += " version"
	}
	if l.config != "" {
		said += " config=" + l.config
	}
	for _, key := range settings.Keys() {
		if text, ok := l.settings[key.Name]; ok {
			said += fmt.Sprintf(" %s=%q", key.Name, text)
		}
	}
	return said
}

func TestParse(t *testing.T) {
	tests := map[string]string{ // arguments have a space between
		"":                                  "serve",
		"serve":                             "serve",
		"--vault https://v":                 `serve vault_url="https://v"`,
		"--vault=https://v serve":           `serve vault_url="https://v"`,
		"-vault https://v":                  `serve vault_url="https://v"`,
		"serve --vault https://v --vault w": `serve vault_url="w"`,
		"--vault=":                          `serve vault_url=""`,
		"--no-browser login":                `login no_browser="true"`,
		"--no-browser=maybe":                `serve no_browser="maybe"`,
		"login --tenant acme --config a":    "login config=a",
		"--config=a --log-level debug status --key-store file": `status config=a key_store="file" log_level="debug"`,
		"--help":             "serve help",
		"login -h":           "login help",
		"--help logout":      "logout help",
		"--version":          "serve version",
		"version":            "version",
		"-- status":          "status",
		"serve serve":        `error: unexpected argument "serve"`,
		"status x":           `error: unexpected argument "x"`,
		"x":                  `error: unknown command "x"`,
		"logni":              `error: unknown command "logni"; did you mean login?`,
		"--vault":            "error: flag needs an argument: -vault",
		"--volt x":           "error: flag provided but not defined: -volt",
		"--tenant a login":   "error: flag provided but not defined: -tenant",
		"logout --tenant a":  "error: flag provided but not defined: -tenant",
		"---vault a":         "error: bad flag syntax: ---vault",
		"--version=perhaps":  `error: invalid boolean value "perhaps" for -version: parse error`,
		"--ca-file $HOME/ca": `serve ca_file="$HOME/ca"`,
	}
	for args, want := range tests {
		if diff := cmp.Diff(want, summary(strings.Fields(args))); diff != "" {
			t.Errorf("parse(%q)(-want +got):\n%s", args, diff)
		}
	}
}

// TestEverySettingIsAFlag wants that each setting has a flag that is explained.
func TestEverySettingIsAFlag(t *testing.T) {
	for _, key := range settings.Keys() {
		args := []string{"--" + key.Flag}
		if key.Value != "" {
			args = append(args, "some")
		}
		l, err := parse(args)
		if err != nil || len(l.settings) != 1 || l.settings[key.Name] == "" {
			t.Errorf("parse(%q) = %v, %v", args, l, err)
		}
		if key.About == "" || key.Env == "" {
			t.Errorf("%s is not explained", key.Name)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, args := range []string{"", "serve\n--vault\nhttps://v", "--help\nlogin", "--no-browser=x", "--", "-", "--=", "login\n--tenant\n"} {
		f.Add(args)
	}
	f.Fuzz(func(t *testing.T, args string) {
		l, err := parse(strings.Split(args, "\n"))
		if err == nil && (l.command == nil || l.command.run == nil) {
			t.Errorf("parse(%q) chose nothing", args)
		}
	})
}
