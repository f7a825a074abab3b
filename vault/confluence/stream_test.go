package confluence_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

func TestMediaAddress(t *testing.T) {
	const cloud = "https://api.atlassian.com/ex/confluence/x/wiki"
	for _, tt := range []struct {
		base, target string
		want         bool
	}{
		{cloud, "https://api.media.atlassian.com/file/1/binary?token=x", true},
		{cloud, "https://API.Media.Atlassian.com/file", true},
		{"https://api.atlassian-us-gov-mod.com/x", "https://api.media.atlassian-us-gov-mod.com/file", true},
		{cloud, "http://api.media.atlassian.com/file", false},
		{cloud, "https://api.media.atlassian.com:8443/file", false},
		{cloud, "https://user@api.media.atlassian.com/file", false},
		{cloud, "https://evil.test/file", false},
		{cloud, "https://api.media.atlassian.com.evil.test/", false},
		{cloud, "https://evil.test#.atlassian.com", false},
		{cloud, "https://evil.test?.atlassian.com", false},
		{cloud, `https://api.media.atlassian.com\@evil.test/`, false},
		{cloud, "https://evilatlassian.com/", false},
		{cloud, "https://atlassian.com/", false},
		{cloud, "https://api.media.atlassian.com./", false},
		{cloud, "https://127.0.0.1/", false},
		{cloud, "https://[::1]/", false},
		{cloud, "https://[::ffff:127.0.0.1].atlassian.com/", false},
		{cloud, "https://2130706433/", false},
		{cloud, "https://169.254.169.254/latest", false},
		{cloud, "https://[fe80::1%25eth0]/", false},
		{cloud, "https://api.media.atlassian.com/\t", false},
		{cloud, "/file", false},
		{cloud, "//api.media.atlassian.com/file", false},
		{cloud, "javascript:alert(1)", false},
		{cloud, "", false},
		{"https://localhost.example/x", "https://media.example/", false},
		{"http://127.0.0.1:8080/x", "http://localhost:8080/_media/1", true},
		{"http://127.0.0.1:8080/x", "http://localhost:9090/_media/1", false},
		{"http://127.0.0.1:8080/x", "http://10.0.0.1:8080/", false},
		{"http://127.0.0.1:8080/x", "https://api.media.atlassian.com/", false},
	} {
		if got := confluence.MediaAddress(tt.base, tt.target); got != tt.want {
			t.Errorf("from %s to %s: %v", tt.base, tt.target, got)
		}
	}
}

// sluggish is a body that is read for a while at a time.
type sluggish struct {
	inside, after atomic.Bool
	given         atomic.Bool // back to the caller
}

func (s *sluggish) Read(p []byte) (int, error) {
	s.inside.Store(true)
	defer s.inside.Store(false)
	if s.given.Load() {
		s.after.Store(true)
	}
	time.Sleep(20 * time.Millisecond)
	return len(p), nil
}

func TestABodyIsTheCallersAgainAfterTheAnswer(t *testing.T) {
	c, _ := real(t, say(http.StatusRequestEntityTooLarge, "{}"))
	body := &sluggish{}
	err := c.Stream(t.Context(), confluence.Upload{Method: http.MethodPost, Path: "/rest/api/x", Length: 1 << 30, Body: body}, nil)
	body.given.Store(true)
	if body.inside.Load() {
		t.Error("the body is being read")
	}
	if !confluence.Is(err, confluence.KindTooLarge) {
		t.Errorf("%v", err)
	}
	time.Sleep(100 * time.Millisecond)
	if body.after.Load() {
		t.Error("the body was read later")
	}
}

func TestWhatIsWrongWithABodyIsNotLogged(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	var log bytes.Buffer
	transport := confluence.Transport()
	defer transport.CloseIdleConnections()
	c := confluence.New(confluence.Config{
		HTTP: &http.Client{Transport: transport}, Base: server.URL, Token: secret.New(canary), Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	body := io.MultiReader(strings.NewReader("some"), iotest.ErrReader(usererr.New(usererr.Conflict, "/home/ada/plan.txt: the file changed", "")))
	err := c.Stream(t.Context(), confluence.Upload{Method: http.MethodPost, Path: "/rest/api/x", Length: 1000, Body: body}, nil)
	if err == nil || strings.Contains(err.Error(), "ada") || log.Len() == 0 || strings.Contains(log.String(), "ada") {
		t.Errorf("%v, and in the log: %s", err, log.String())
	}
}
