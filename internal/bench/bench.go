// Package bench measures what Coatcheck costs, beside what one would use
// without it: a stdio server of go-sdk started directly, the bridges
// mcp-remote and supergateway, and a bare websocket as the limit.
//
// All contenders are measured in the same run and take turns in every round,
// in an order that moves on, since a machine is never quiet. What counts are
// the ratios: each is the median of the ratios of the single rounds. A missed
// target is printed and is no error; an error means that something broke.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Options say what is measured and how often.
type Options struct {
	Bin  string    // the folder with both programs
	Self string    // the program that plays a role when called with "role …"
	NPM  string    // the folder whose node_modules has the bridges; "" is none
	Out  io.Writer // for the tables
	Counts
}

// Counts say how often things are done.
type Counts struct {
	Rounds  int   // of everything but idle streams
	Spawns  int   // of each Go contender in a round
	Bridges int   // every so many rounds bridges are spawned, which takes long
	Trips   int   // round trips of each size in a round
	Calls   int   // calls of each flood
	Idle    []int // how many idle streams are measured
	Moves   int   // of the large file in each direction
	File    int64 // bytes of that file; 0 leaves it out

	OnlyFile bool // measures nothing else
}

// Full takes some three minutes on a quiet machine.
func Full() Counts {
	return Counts{Rounds: 9, Spawns: 5, Bridges: 3, Trips: 120, Calls: 800, Idle: []int{1000, 10_000}, Moves: 3, File: 1 << 30}
}

// Quick takes about half a minute.
func Quick() Counts {
	return Counts{Rounds: 3, Spawns: 3, Bridges: 3, Trips: 60, Calls: 300, Idle: []int{500, 2000}, Moves: 3, File: 64 << 20}
}

// Run measures and prints the tables.
func Run(ctx context.Context, opt Options) (err error) {
	// Clients wait on one thread; more would take cores from what they measure.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	began := time.Now()
	for _, folder := range []*string{&opt.Bin, &opt.NPM} {
		if *folder == "" {
			continue
		}
		if *folder, err = filepath.Abs(*folder); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "coatcheck-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	a := &arena{opt: opt, dir: dir}
	defer a.close()
	if err := a.build(ctx); err != nil {
		return err
	}
	found := newResults()
	parts := []func(context.Context, *arena, func(measure, string) *series) error{echoes, sizes, idle, whole, conversions, surface, moving}
	if opt.OnlyFile {
		parts = parts[len(parts)-1:]
	}
	for _, part := range parts {
		if err := part(ctx, a, found.of); err != nil {
			return err
		}
	}
	for _, note := range a.notes {
		fmt.Fprintln(opt.Out, note)
	}
	found.print(opt.Out)
	_, err = fmt.Fprintf(opt.Out, "\nMeasured in %v.\n", time.Since(began).Round(time.Second))
	return err
}
