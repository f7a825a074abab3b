// Command coatcheck is the shim: MCP clients start it, and it brings their
// messages to the vault. Without arguments it serves; see cli.go for the rest.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// From here on only what gets this file can write to the standard output.
	out, err := takeStdout()
	if err != nil {
		os.Exit(exitFailure)
	}
	// A broken pipe is an error to the one who writes, not the end.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, &program{in: os.Stdin, out: out, err: os.Stderr, lookup: os.LookupEnv}, os.Args[1:])
	stop()
	os.Exit(code)
}
