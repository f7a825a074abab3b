package main

import (
	"context"
	"path/filepath"

	"github.com/coatcheck-mcp/coatcheck/internal/demo"
)

type demoCmd struct {
	Keep bool `help:"Keep everything running afterwards and print what to paste into an MCP client"`
}

// Run tells the story with the two programs that lie beside each other.
func (d demoCmd) Run(ctx context.Context, p program) error {
	program, err := p.executable()
	if err != nil {
		return err
	}
	return demo.Run(ctx, demo.Options{Bin: filepath.Dir(program), Out: p.out, Keep: d.Keep, Display: demo.Display(p.lookup)})
}
