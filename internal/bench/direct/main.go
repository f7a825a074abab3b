// Command direct is what a developer would write without a vault: a stdio
// server of go-sdk with one tool. It is a program of its own so that it starts
// as fast, and is as small, as such servers are.
package main

import (
	"context"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/bench/echo"
)

func main() {
	if err := echo.New().Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		os.Exit(1)
	}
}
