package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// plainArgs are command lines, with a space between arguments.
var plainArgs = []string{
	"", "serve", "--vault https://v", "--vault=https://v", "serve --vault https://v --log-level debug", "--vault https://v serve --no-browser",
	"--config a.yaml --key-store=file", "--no-browser serve --config=a.yaml",
	"--help", "login", "serve serve", "serve login", "--vault", "--vault=", "--vault --config", "--vault -x", "--vault a --vault b", "--Vault a", "-vault a",
	"--no-browser=false", "--no-browser false", "--no-browser=", "--version", "version", "--config", "x", "--", "-- serve", "--vault a -- serve", "--vault serve",
	"--vault serve serve", "---vault a", "--=a", "--vault a=b", "--config --config", "--no-browser --no-browser", "--ca-file $HOME", "--log-dir ${x}", "--proxy @x",
}

// TestPlain wants that what is read the short way means the same the long way.
func TestPlain(t *testing.T) {
	short := 0
	for _, args := range plainArgs {
		if agree(t, strings.Fields(args)) {
			short++
		}
	}
	if short < 12 {
		t.Errorf("only %d of the command lines are plain", short)
	}
}

func FuzzPlain(f *testing.F) {
	for _, args := range plainArgs {
		f.Add(strings.ReplaceAll(args, " ", "\n"))
	}
	f.Fuzz(func(t *testing.T, args string) { agree(t, strings.Split(args, "\n")) })
}

// agree compares both ways and says whether args are plain.
func agree(t *testing.T, args []string) bool {
	t.Helper()
	flags, config, ok := plain(args)
	if !ok {
		return false
	}
	var c cli
	parser, err := kong.New(&c, kong.Exit(func(int) { t.Errorf("%q: exits", args) }))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		t.Errorf("%q: %v", args, err)
		return true
	}
	if parsed.Command() != commandServe {
		t.Errorf("%q is command %q", args, parsed.Command())
	}
	if diff := cmp.Diff(given(parsed), flags); diff != "" || c.Config != config {
		t.Errorf("%q: config %q, not %q; flags (+ is short): %s", args, config, c.Config, diff)
	}
	return true
}
