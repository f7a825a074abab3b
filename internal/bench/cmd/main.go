// Command cmd runs the bench; "make bench" starts it. It also plays the bench's
// other roles, when called with "role".
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/coatcheck-mcp/coatcheck/internal/bench"
	"github.com/coatcheck-mcp/coatcheck/internal/bench/role"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "role" {
		return role.Run(ctx, args[1:], os.Stdin, os.Stdout)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "the folder with both programs")
	npm := flags.String("npm", os.Getenv("COATCHECK_NPM"), "the folder whose node_modules has mcp-remote and supergateway")
	quick := flags.Bool("quick", false, "measure less, in about half a minute")
	file := flags.Int64("file", -1, "MiB of the large file that is moved; 0 moves none")
	only := flags.Bool("only-file", false, "measure only that")
	if err := flags.Parse(args); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	counts := bench.Full()
	if *quick {
		counts = bench.Quick()
	}
	if *file >= 0 {
		counts.File = *file << 20
	}
	counts.OnlyFile = *only
	return bench.Run(ctx, bench.Options{Bin: *bin, Self: self, NPM: *npm, Out: os.Stdout, Counts: counts})
}
