package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/buildinfo"
	"github.com/coatcheck-mcp/coatcheck/internal/typo"
	"github.com/coatcheck-mcp/coatcheck/shim/settings"
)

// program is what a command has to do with the world.
type program struct {
	in       *os.File
	out, err *os.File
	lookup   func(string) (string, bool)
	// watch lets signals end the context; further calls do nothing. It takes a
	// tenth of the time until the first answer of a shim, and there is nothing
	// to bring to an end before that.
	watch func()

	settings *settings.Settings
	wrong    error // an *settings.Error, or nil
}

// command is one thing that the program does.
type command struct {
	name, about string
	flags       func(*flag.FlagSet) // of its own; optional
	run         func(ctx context.Context, p *program) error
}

// commands lists them; the first is what is done without any.
func commands() []*command {
	var in login
	var out logout
	return []*command{
		{name: "serve", about: "Carry MCP messages between standard input and output and the vault. This is what an MCP client starts, and what happens without a command.", run: serve},
		{name: "login", about: "Sign in now, rather than at the first question, and wait until it is done.", flags: in.flags, run: in.run},
		{name: "logout", about: "End this device's session at the vault, or all of yours.", flags: out.flags, run: out.run},
		{name: "status", about: "Show the settings and where they come from, this device's key, and whether it is signed in.", run: status},
		{name: "version", about: "Show the version.", run: version},
	}
}

// envConfig names the settings file, if no flag does.
const envConfig = "COATCHECK_CONFIG"

// line is a command line.
type line struct {
	command       *command
	config        string
	settings      map[string]string // by key
	version, help bool
	named         bool // the command was
	known         *flag.FlagSet
}

// parse reads a command line; flags may stand before and after the command. It
// is written for the client that waits for a shim to answer: a library for
// command lines takes a tenth of that time.
func parse(args []string) (*line, error) {
	l := &line{command: commands()[0], settings: map[string]string{}, known: flag.NewFlagSet("", flag.ContinueOnError)}
	l.known.SetOutput(io.Discard)
	l.known.Usage = func() {}
	l.known.StringVar(&l.config, "config", "", "")
	l.known.BoolVar(&l.version, "version", false, "")
	for _, key := range settings.Keys() {
		set := func(text string) error { l.settings[key.Name] = text; return nil }
		if key.Value == "" {
			l.known.BoolFunc(key.Flag, "", set)
		} else {
			l.known.Func(key.Flag, "", set)
		}
	}
	for rest := args; ; {
		if err := l.known.Parse(rest); errors.Is(err, flag.ErrHelp) {
			l.help = true
		} else if err != nil {
			return nil, err
		}
		rest = l.known.Args()
		switch {
		case len(rest) == 0:
			return l, nil
		case l.named:
			return nil, fmt.Errorf("unexpected argument %q", rest[0])
		}
		if err := l.choose(rest[0]); err != nil {
			return nil, err
		}
		rest = rest[1:]
	}
}

// choose takes the command of a name.
func (l *line) choose(name string) error {
	nearest, best := "", 3
	for _, c := range commands() {
		if c.name == name {
			l.command, l.named = c, true
			if c.flags != nil {
				c.flags(l.known)
			}
			return nil
		}
		if d := typo.Distance(name[:min(len(name), 20)], c.name); d < best {
			nearest, best = c.name, d
		}
	}
	if nearest != "" {
		return fmt.Errorf("unknown command %q; did you mean %s?", name, nearest)
	}
	return fmt.Errorf("unknown command %q", name)
}

// run does what the arguments say and returns the exit status.
func run(ctx context.Context, p *program, args []string) int {
	l, err := parse(args)
	switch {
	case err != nil:
		_, _ = fmt.Fprintf(p.err, "coatcheck: %s\nTry \"coatcheck --help\".\n", strings.Replace(err.Error(), ": -", ": --", 1))
		return exitUsage
	case l.help:
		err = l.showHelp(p.out)
	case l.version:
		err = version(ctx, p)
	default:
		if l.command.name != "serve" {
			p.watch()
		}
		p.load(l.config, l.settings)
		err = l.command.run(ctx, p)
	}
	if err != nil {
		return p.fail(err)
	}
	return exitOK
}

// load finds the settings, in config if that is not empty.
func (p *program) load(config string, flags map[string]string) {
	if config == "" {
		config, _ = p.lookup(envConfig)
	}
	p.settings, p.wrong = settings.Load(settings.Input{Places: p.places(), File: config, Lookup: p.lookup, Flags: flags})
}

// version shows it.
func version(_ context.Context, p *program) error {
	_, err := fmt.Fprintln(p.out, buildinfo.Line("coatcheck"))
	return err
}
