package remote_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/remote"
)

const most = 1000

// ask asks a server that answers with a text, in one piece or in many.
func ask(t *testing.T, handler http.HandlerFunc, out any) (int, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	client := remote.Client(server.Client(), most, 5*time.Second)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return remote.JSON(client, req, out, func(err error) error {
		if known := remote.Unreached(err); known != nil {
			return known
		}
		return errors.New("something else")
	})
}

func says(status int, text string, inPieces bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if inPieces { // of a length that is not told
			w.(http.Flusher).Flush()
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}
}

func text(length int) string { return `"` + strings.Repeat("x", length-2) + `"` }

func TestAnswersEnd(t *testing.T) {
	for _, inPieces := range []bool{false, true} {
		for length, want := range map[int]error{most: nil, most + 1: remote.ErrTooLong, 50 * most: remote.ErrTooLong} {
			var out string
			if _, err := ask(t, says(http.StatusOK, text(length), inPieces), &out); !errors.Is(err, want) || want == nil && len(out) != length-2 {
				t.Errorf("an answer of %d bytes, in pieces %v: %v, %d read", length, inPieces, err, len(out))
			}
		}
	}
}

func TestJSON(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		out    string
		fails  bool
	}{
		"good":                 {http.StatusOK, `"a"`, "a", false},
		"a no with words":      {http.StatusBadRequest, `"why"`, "why", false},
		"a no in HTML":         {http.StatusBadGateway, "<h1>canary", "", false},
		"a yes in HTML":        {http.StatusOK, "<h1>canary", "", true},
		"the wrong kind":       {http.StatusOK, `{"canary":1}`, "", true},
		"nothing":              {http.StatusOK, "", "", true},
		"another place, which": {http.StatusFound, "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			var out string
			status, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1/canary") // is not followed
				says(test.status, test.body, false)(w, r)
			}, &out)
			if status != test.status || out != test.out || (err != nil) != test.fails || err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("JSON = %d, %v; read %q", status, err, out)
			}
		})
	}
}

func TestUnreached(t *testing.T) {
	in := func(err error) error {
		return fmt.Errorf("asking: %w", &url.Error{Op: "Get", URL: "https://h/?token=canary", Err: err})
	}
	for want, err := range map[string]error{
		"context deadline exceeded":                in(context.DeadlineExceeded),
		"context canceled":                         in(context.Canceled),
		"the answer is too long":                   in(remote.ErrTooLong),
		"no connection: dial tcp":                  in(&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("canary")}),
		"no connection: its name does not resolve": in(&net.DNSError{Name: "canary"}),
		"no answer in time":                        in(&net.DNSError{Name: "canary", IsTimeout: true}),
		"the connection broke":                     in(errors.New("canary")),
		"<nil>":                                    errors.New("canary"),
	} {
		if got := fmt.Sprint(remote.Unreached(err)); got != want {
			t.Errorf("Unreached(%v) = %s, want %s", err, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"Ada Berger":                "Ada Berger",
		"  a \t b\r\nc ":            "a b c",
		"a\u202eb\u200bc\x00d\x1be": "abcde",
		"\xff\xfea":                 "a",
		strings.Repeat("ü", 200):    strings.Repeat("ü", 99) + "…",
		"":                          "",
	} {
		if got := remote.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}
