package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	offered "github.com/coatcheck-mcp/coatcheck/vault/tools"
)

// The surface: what every conversation pays for. A token is counted as four
// bytes.
const (
	listTokens   measure = "(g) tokens of the answer to tools/list"
	listTools    measure = "(g) tools in it"
	usualTools           = "the tools that are on by default"
	allTools             = "with all toolsets"
	bytesOfToken         = 4
)

// surface counts the tools.
func surface(ctx context.Context, _ *arena, of func(measure, string) *series) error {
	for name, toolsets := range map[string][]string{usualTools: nil, allTools: {"all"}} {
		server := offered.New(offered.Config{Version: "bench", Log: slog.New(slog.DiscardHandler), Toolsets: toolsets})
		list, err := listed(ctx, server)
		if err != nil {
			return fmt.Errorf("listing %s: %w", name, err)
		}
		data, err := json.Marshal(list)
		if err != nil {
			return err
		}
		of(listTokens, name).add(0, float64(len(data)/bytesOfToken))
		of(listTools, name).add(0, float64(len(list.Tools)))
	}
	return nil
}

func listed(ctx context.Context, server *mcp.Server) (*mcp.ListToolsResult, error) {
	near, far := mcp.NewInMemoryTransports()
	there, err := server.Connect(ctx, near, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = there.Wait() }()
	client := mcp.NewClient(&mcp.Implementation{Name: "bench", Version: "1"}, nil)
	here, err := client.Connect(ctx, far, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = here.Close() }()
	return here.ListTools(ctx, nil)
}
