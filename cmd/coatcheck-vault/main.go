// Coatcheck-vault keeps people's Atlassian tokens and calls Confluence for
// them. Run it with --help for its manual page.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, program{
		args: os.Args[1:], environ: os.Environ(), lookup: os.LookupEnv, executable: os.Executable,
		out: os.Stdout, err: os.Stderr,
	})
	stop()
	os.Exit(code)
}
