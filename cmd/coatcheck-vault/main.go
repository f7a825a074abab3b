// Coatcheck-vault keeps people's Atlassian tokens and calls Confluence for
// them. Run it with --help for its manual page.
package main

import (
	"context"
	"os"
	"os/signal"
	"os/user"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, program{
		args: os.Args[1:], environ: os.Environ(), lookup: os.LookupEnv, executable: os.Executable, user: username,
		out: os.Stdout, err: os.Stderr,
	})
	stop()
	os.Exit(code)
}

// username is the user of the operating system, as far as that is known.
func username() string {
	who, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return who.Username
}
