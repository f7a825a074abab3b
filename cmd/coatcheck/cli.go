package main

import (
	"context"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"github.com/coatcheck-mcp/coatcheck/internal/buildinfo"
	"github.com/coatcheck-mcp/coatcheck/shim/settings"
)

// cli is the manual page.
type cli struct {
	Serve  serve   `cmd:"" default:"1" help:"Carry MCP messages between standard input and output and the vault. This is what an MCP client starts, and what happens without a command."`
	Login  login   `cmd:"" help:"Sign in now, rather than at the first question, and wait until it is done."`
	Logout logout  `cmd:"" help:"End this device's session at the vault."`
	Status status  `cmd:"" help:"Show the settings and where they come from, this device's key, and whether it is signed in."`
	About  version `cmd:"" name:"version" help:"Show the version."`

	Config string `help:"Read this settings file instead of the usual one." env:"COATCHECK_CONFIG" placeholder:"FILE" group:"settings"`

	// The flags of all settings. They are texts here, because package settings
	// judges them together with what stands in files.
	Vault     string `help:"The vault's address, such as https://vault.example.com. The only setting that is needed." env:"COATCHECK_VAULT_URL" placeholder:"URL" group:"settings"`
	Proxy     string `help:"The proxy on the way to the vault, or none. One with a password belongs into the settings file." env:"COATCHECK_PROXY" placeholder:"URL" group:"settings"`
	NoProxy   string `help:"Hosts that are reached without the proxy, with commas between." env:"COATCHECK_NO_PROXY" placeholder:"HOSTS" group:"settings"`
	CAFile    string `name:"ca-file" help:"Certificates to trust besides those of the system, in PEM form." env:"COATCHECK_CA_FILE" placeholder:"FILE" group:"settings"`
	KeyStore  string `help:"Where a new device key goes: auto, keychain or file." env:"COATCHECK_KEY_STORE" placeholder:"auto" group:"settings"`
	LogLevel  string `help:"How much is logged: debug, info, warn or error." env:"COATCHECK_LOG_LEVEL" placeholder:"info" group:"settings"`
	LogDir    string `help:"The folder of the log file; by default the system's own for logs." env:"COATCHECK_LOG_DIR" placeholder:"FOLDER" group:"settings"`
	NoBrowser toggle `help:"Never open a browser; show the address instead." env:"COATCHECK_NO_BROWSER" group:"settings"`

	Version kong.VersionFlag `help:"Show the version."`
}

// description begins the help.
const description = `Connects an MCP client to your company's Coatcheck vault, and through it to Confluence. No token is ever on this computer.

Settings come from the company's policy, which locks, then flags, variables, and the settings file; "coatcheck status" shows them all and where each came from.

Exit status: 0 done, 1 failed, 2 wrong settings or arguments, 3 the vault cannot be reached, 4 not signed in.`

// toggle is a flag without value that leaves a wrong one to package settings.
type toggle string

// Decode implements kong.MapperValue.
func (t *toggle) Decode(ctx *kong.DecodeContext) error {
	*t = "true"
	if ctx.Scan.Peek().Type == kong.FlagValueToken {
		*t = toggle(fmt.Sprint(ctx.Scan.Pop().Value))
	}
	return nil
}

// IsBool implements kong.BoolMapperValue.
func (toggle) IsBool() bool { return true }

// exited is what kong's exit becomes, as only main may end the process.
type exited int

// run parses the arguments, runs a command and returns the exit status.
func run(ctx context.Context, p *program, args []string) int {
	flags, config, ok := plain(args)
	if !ok {
		return runAny(ctx, p, args)
	}
	p.load(config, flags)
	if err := (serve{}).Run(ctx, p); err != nil {
		return p.fail(err)
	}
	return exitOK
}

// runAny is run for any arguments.
func runAny(ctx context.Context, p *program, args []string) (code int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exited:
			code = int(r)
		default:
			panic(r)
		}
	}()
	var c cli
	parser, err := kong.New(&c,
		kong.Name("coatcheck"),
		kong.Description(description),
		kong.ExplicitGroups([]kong.Group{{Key: "settings", Title: "Settings:"}}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Writers(p.out, p.err),
		kong.Vars{"version": buildinfo.Line("coatcheck")},
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(p),
	)
	if err != nil {
		return p.fail(err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		_, _ = fmt.Fprintf(p.err, "coatcheck: %v\nTry \"coatcheck --help\".\n", err)
		return exitUsage
	}
	p.load(c.Config, given(parsed))
	if err := parsed.Run(); err != nil {
		return p.fail(err)
	}
	return exitOK
}

// given returns the settings that stand on the command line, by their keys.
func given(parsed *kong.Context) map[string]string {
	keys := map[string]string{}
	for _, key := range settings.Keys() {
		keys[key.Flag] = key.Name
	}
	flags := map[string]string{}
	for _, step := range parsed.Path {
		if step.Flag == nil {
			continue
		}
		if key, ok := keys[step.Flag.Name]; ok {
			flags[key] = fmt.Sprint(parsed.FlagValue(step.Flag))
		}
	}
	return flags
}

// version is the command that shows it.
type version struct{}

// Run prints one line.
func (version) Run(p *program) error {
	_, err := fmt.Fprintln(p.out, buildinfo.Line("coatcheck"))
	return err
}

// program is what a command has to do with the world.
type program struct {
	in       *os.File
	out, err *os.File
	lookup   func(string) (string, bool)

	settings *settings.Settings
	wrong    error // an *settings.Error, or nil
}
