package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/alecthomas/kong"

	"github.com/coatcheck-mcp/coatcheck/internal/buildinfo"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
)

// cli is the manual page. Helps are sentences without a period.
type cli struct {
	Config  string           `short:"c" placeholder:"FILE" env:"COATCHECK_CONFIG" help:"Settings file (default: vault.yaml here, then /etc/coatcheck/vault.yaml)"`
	Version kong.VersionFlag `short:"v" help:"Print the version and exit"`

	Serve       serveCmd       `cmd:"" default:"1" help:"Run the vault (default)"`
	Demo        demoCmd        `cmd:"" help:"Show the whole story on this machine, with a simulated Atlassian"`
	CheckConfig checkConfigCmd `cmd:"" help:"Report every problem of the settings, or print what is in force"`
	Migrate     migrateCmd     `cmd:"" help:"Bring the store's schema up to date and exit"`
	Revoke      revokeCmd      `cmd:"" help:"Take the access of a person, a device, a tenant, a site or everybody away, at once"`
	People      peopleCmd      `cmd:"" help:"List, show or revoke people"`
	Devices     devicesCmd     `cmd:"" help:"List, show or revoke the devices that people sign in on"`
	Sessions    sessionsCmd    `cmd:"" help:"List, show or revoke the devices that people are signed in on"`
	Grants      grantsCmd      `cmd:"" help:"List, show or revoke what people allowed at Atlassian"`
	Keys        keysCmd        `cmd:"" help:"List the key-encryption keys, or move everything to the current one"`
	Audit       auditCmd       `cmd:"" help:"List or verify what happened"`
	ReadPDF     readPDFCmd     `cmd:"" name:"read-pdf" hidden:"" help:"Read a PDF file for the vault"`
}

// program is everything a run of this program touches.
type program struct {
	args, environ []string
	lookup        func(string) (string, bool)
	executable    func() (string, error)
	user          func() string // of the operating system
	out, err      io.Writer
}

// Exit codes.
const (
	exitOK       = 0
	exitFailure  = 1
	exitSettings = 2 // wrong settings or usage
)

// exited is what kong's Exit panics with, so that it does not return.
type exited int

// run parses and runs one command and returns the exit code.
func run(ctx context.Context, p program) (code int) {
	defer func() {
		if r := recover(); r != nil {
			exit, ok := r.(exited)
			if !ok {
				panic(r)
			}
			code = int(exit)
		}
	}()
	var c cli
	parser, err := kong.New(&c,
		kong.Name("coatcheck-vault"),
		kong.Description("Keeps people's Atlassian tokens, so that no laptop does, and calls Confluence for them."),
		kong.Vars{"version": "coatcheck-vault " + buildinfo.Version()},
		kong.Writers(p.out, p.err),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(p, &c),
	)
	if err != nil {
		return p.fail(err)
	}
	command, err := parser.Parse(p.args)
	if err != nil {
		_, _ = fmt.Fprintf(p.err, "coatcheck-vault: %s\nRun coatcheck-vault --help for the manual page.\n", err)
		return exitSettings
	}
	if err := command.Run(); err != nil {
		return p.fail(err)
	}
	return exitOK
}

// fail says what went wrong and returns the exit code for it.
func (p program) fail(err error) int {
	text := usererr.Text(err, "")
	known, ok := usererr.From(err)
	if !ok {
		text = err.Error() // whoever runs this program may read its log, too
	}
	_, _ = fmt.Fprintln(p.err, "coatcheck-vault: "+text)
	if ok && known.Err != nil && known.Code != usererr.NotFound {
		_, _ = fmt.Fprintf(p.err, "The cause: %v\n", known.Err)
	}
	if usererr.CodeOf(err) == usererr.Settings {
		return exitSettings
	}
	if errors.Is(err, context.Canceled) {
		return exitOK
	}
	return exitFailure
}

// settings reads the settings that c names.
func (p program) settings(c *cli) (*settings.Settings, error) { return settings.Load(p.sources(c)) }

// sources say where settings come from.
func (p program) sources(c *cli) settings.Options {
	files := []string{"vault.yaml", "/etc/coatcheck/vault.yaml"}
	if c.Config != "" {
		files = []string{c.Config}
	}
	return settings.Options{Files: files, Environ: p.environ}
}

// logger writes to stderr at a level.
func (p program) logger(level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewTextHandler(p.err, &slog.HandlerOptions{Level: level}))
}
