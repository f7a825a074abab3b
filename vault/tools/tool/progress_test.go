package tool_test

//lint:file-ignore SA1019 clients have roots and logging for a year to come, and nothing else in their place

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

type nothing struct{}

// told is what a client hears of a call.
type told struct {
	mu       sync.Mutex
	progress []float64
	texts    []string
	logs     []string
}

// hear runs a tool with run as a client does, which asks for progress with
// token and for logs from level on.
func hear(t *testing.T, token any, level mcp.LoggingLevel, run func(context.Context)) *told {
	t.Helper()
	heard := &told{}
	server := mcp.NewServer(&mcp.Implementation{Name: "s", Version: "1"}, nil)
	tool.Register(server, &tool.Set{Log: slog.New(slog.DiscardHandler)}, tool.Spec[nothing, nothing]{
		Name: "work", Anonymous: true,
		Run: func(ctx context.Context, _ *tool.Set, _ nothing) (nothing, string, error) {
			run(ctx)
			return nothing{}, "done", nil
		},
	})
	client := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
			heard.mu.Lock()
			defer heard.mu.Unlock()
			heard.progress = append(heard.progress, req.Params.Progress)
			heard.texts = append(heard.texts, req.Params.Message)
		},
		LoggingMessageHandler: func(_ context.Context, req *mcp.LoggingMessageRequest) {
			heard.mu.Lock()
			defer heard.mu.Unlock()
			text, _ := req.Params.Data.(string)
			heard.logs = append(heard.logs, text)
		},
	})
	here, there := mcp.NewInMemoryTransports()
	ctx := t.Context()
	ss, err := server.Connect(ctx, there, nil)
	if err != nil {
		t.Fatal(err)
	}
	cs, err := client.Connect(ctx, here, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		t.Fatal(err)
	}
	if level != "" {
		if err := cs.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: level}); err != nil {
			t.Fatal(err)
		}
	}
	params := &mcp.CallToolParams{Name: "work"}
	if token != nil {
		params.SetProgressToken(token)
	}
	if result, err := cs.CallTool(ctx, params); err != nil || result.IsError {
		t.Fatalf("the call: %v, %v", result, err)
	}
	_ = cs.Close()
	_ = ss.Wait()
	return heard
}

func TestProgress(t *testing.T) {
	for name, tt := range map[string]struct {
		token any
		run   func(context.Context)
		want  []float64
	}{
		"not asked for": {nil, func(ctx context.Context) { tool.Progress(ctx, 1, 2, "") }, nil},
		"each step": {"p", func(ctx context.Context) {
			for i := range 3 {
				tool.Progress(ctx, i+1, 3, "")
				time.Sleep(time.Second)
			}
		}, []float64{1, 2, 3}},
		"too soon, but for the last": {7, func(ctx context.Context) {
			for i := range 1000 {
				tool.Progress(ctx, int64(i+1), 1000, "")
			}
		}, []float64{1, 1000}},
		"never back": {"p", func(ctx context.Context) {
			for _, done := range []float64{0.5, 0.25, 0.5, 0.75} {
				tool.Progress(ctx, done, 0, "")
				time.Sleep(time.Second)
			}
		}, []float64{0.5, 0.75}},
		"cancelled": {"p", func(ctx context.Context) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			tool.Progress(ctx, 1, 1, "")
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if diff := cmp.Diff(tt.want, hear(t, tt.token, "", tt.run).progress); diff != "" {
					t.Errorf("progress (-want +got):\n%s", diff)
				}
			})
		})
	}
	tool.Progress(t.Context(), 1, 1, "no request: nothing happens")
}

func TestLog(t *testing.T) {
	say := func(ctx context.Context) {
		tool.Log(ctx, "debug", "details")
		tool.Log(ctx, "warning", "careful")
	}
	for level, want := range map[mcp.LoggingLevel][]string{"": nil, "debug": {"details", "careful", "work answered in 0s"}, "warning": {"careful"}, "error": nil} {
		synctest.Test(t, func(t *testing.T) {
			if diff := cmp.Diff(want, hear(t, nil, level, say).logs); diff != "" {
				t.Errorf("from level %q (-want +got):\n%s", level, diff)
			}
		})
	}
	tool.Log(t.Context(), "error", "no request: nothing happens")
}
