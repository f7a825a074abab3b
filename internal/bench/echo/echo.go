// Package echo is an MCP server with one tool, which answers as many bytes of
// text as it is asked for. Every contender of the bench has it at its far end.
package echo

import (
	"context"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Max is the largest answer.
const Max = 64 << 10

type input struct {
	Size int `json:"size" jsonschema:"bytes of text to answer"`
}

// New returns the server.
func New() *mcp.Server {
	text := strings.Repeat("x", Max)
	server := mcp.NewServer(&mcp.Implementation{Name: "echo", Version: "1"}, nil)
	tool := &mcp.Tool{Name: "echo", Description: "Answer some bytes of text."}
	mcp.AddTool(server, tool, func(_ context.Context, _ *mcp.CallToolRequest, in input) (*mcp.CallToolResult, any, error) {
		size := min(max(in.Size, 0), Max)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text[:size]}}}, nil, nil
	})
	return server
}
