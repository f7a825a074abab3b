package confluence_test

import (
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

// real starts a server and returns a client that speaks to it over sockets.
func real(t *testing.T, answer http.HandlerFunc) (*confluence.Client, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return to(t, server), server
}

func to(t *testing.T, server *httptest.Server) *confluence.Client {
	t.Helper()
	transport := confluence.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	return confluence.New(confluence.Config{
		HTTP: &http.Client{Transport: transport}, Base: server.URL + "/ex/confluence/c/wiki", Token: secret.New(canary), Log: slog.New(slog.DiscardHandler),
	})
}

// The token goes to the gateway only, wherever an answer points.
func TestTheTokenStaysAtHome(t *testing.T) {
	var elsewhere atomic.Int32
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer evil.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		c, _ := real(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, evil.URL, status) })
		if _, err := c.Page(t.Context(), "101", 0); !confluence.Is(err, confluence.KindProtocol) {
			t.Errorf("status %d: %v", status, err)
		}
		if _, err := c.CreatePage(t.Context(), confluence.Draft{SpaceID: "7", Title: "x"}); !confluence.Unsure(err) {
			t.Errorf("status %d: %v", status, err)
		}
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

// A small answer that unpacks to more than the limit is not unpacked further.
func TestBombsAreNotUnpacked(t *testing.T) {
	c, _ := real(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		block := strings.Repeat(" ", 1<<20)
		for range 64 {
			_, _ = io.WriteString(z, block)
		}
		_ = z.Close()
	})
	if _, err := c.Page(t.Context(), "101", 0); !confluence.Is(err, confluence.KindTooLarge) {
		t.Errorf("%v", err)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	const atOnce = 20
	var opened atomic.Int32
	var arrived atomic.Pointer[sync.WaitGroup]
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all := arrived.Load()
		all.Done()
		all.Wait() // all of a round are under way at once
		say(200, pageBody)(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := to(t, server)
	for range 3 {
		var round, calls sync.WaitGroup
		round.Add(atOnce)
		arrived.Store(&round)
		for range atOnce {
			calls.Go(func() {
				if _, err := c.Page(t.Context(), "101", 0); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
	}
	if n := opened.Load(); n > atOnce+2 {
		t.Errorf("%d connections for %d calls at once, three times", n, atOnce)
	}
}

// An answer that never ends is cut off; the error says nothing of the address.
func TestSlowAnswersEnd(t *testing.T) {
	stop := make(chan struct{})
	c, _ := real(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"id":`)
		w.(http.Flusher).Flush()
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	defer close(stop)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := c.UpdatePage(ctx, confluence.Edit{ID: "101", Number: 2})
	if !confluence.Is(err, confluence.KindNetwork) || !confluence.Unsure(err) || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("%v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	c, server := real(t, nil)
	server.Close()
	_, err := c.CreatePage(t.Context(), confluence.Draft{SpaceID: "7", Title: "x"})
	if !confluence.Is(err, confluence.KindNetwork) || confluence.Unsure(err) {
		t.Errorf("a write that never left is unsure: %v", err)
	}
}
