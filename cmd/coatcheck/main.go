// The program is one of many that a client starts and waits for. To read the
// limits of its container and to watch for changes of them takes a twentieth of
// its start, and for the little that it has to do they do not matter.

//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command coatcheck is the shim: MCP clients start it, and it brings their
// messages to the vault. Without arguments it serves; see cli.go for the rest.
package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

func main() {
	// From here on only what gets this file can write to the standard output.
	out, err := takeStdout()
	if err != nil {
		os.Exit(exitFailure)
	}
	ctx, cancel := context.WithCancel(context.Background())
	code := run(ctx, &program{
		in: os.Stdin, out: out, err: os.Stderr, lookup: os.LookupEnv,
		watch: sync.OnceFunc(func() { watch(ctx, cancel) }),
	}, os.Args[1:])
	cancel()
	os.Exit(code)
}

// watch lets signals that ask for the end cancel ctx, where they ended the
// process at once before, and a broken pipe be an error to the one who writes.
func watch(ctx context.Context, cancel func()) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	asked, _ := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(asked, cancel)
}
