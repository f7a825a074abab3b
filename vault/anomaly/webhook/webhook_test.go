package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/anomaly/webhook"
)

const key = "0123456789abcdef"

var notice = webhook.Notice{
	ID: "n_1", Event: "anomaly", Time: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC), Rule: "burst", Action: "webhook",
	Value: 300, Threshold: 120, Text: "300 calls in 5 min", Tenant: "acme", Person: "p_ada", Address: "192.0.2.1",
}

// received is a notice as it came.
type received struct {
	notice   webhook.Notice
	delivery string
	good     bool // signature
}

func receive(r *http.Request) received {
	var got received
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &got.notice)
	got.delivery = r.Header.Get(webhook.DeliveryHeader)
	seconds, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get(webhook.SignatureHeader), "t="), ",")
	at, err := strconv.ParseInt(seconds, 10, 64)
	got.good = err == nil && r.Header.Get(webhook.SignatureHeader) == webhook.Sign(secret.New(key), time.Unix(at, 0), body)
	return got
}

// TestOverTLS: a notice arrives signed, and only where the certificate is good.
func TestOverTLS(t *testing.T) {
	got := make(chan received, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- receive(r) }))
	defer server.Close()
	hook := webhook.New(webhook.Config{URL: server.URL + "/hook?token=CANARY", Secret: secret.New(key), HTTP: server.Client(), Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = hook.Run(ctx) })
	if !hook.Tell(notice) {
		t.Error("no room")
	}
	r := <-got
	if diff := cmp.Diff(notice, r.notice); diff != "" || !r.good || r.delivery != "n_1" {
		t.Errorf("signed: %v, delivery %q\n%s", r.good, r.delivery, diff)
	}
	cancel()
	running.Wait()

	var log bytes.Buffer
	stranger := webhook.New(webhook.Config{URL: server.URL + "/hook?token=CANARY", Secret: secret.New(key), HTTP: http.DefaultClient, Log: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	stranger.Tell(notice)
	stranger.Tell(notice)
	_ = stranger.Run(ctx)
	if len(got) > 0 || !strings.Contains(log.String(), "not delivered") || !strings.Contains(log.String(), "left=1") || strings.Contains(log.String(), "CANARY") || strings.Contains(log.String(), key) {
		t.Errorf("told %d strangers; the log: %s", len(got), &log)
	}
}

func TestTheSignature(t *testing.T) {
	// printf '7.{}' | openssl dgst -sha256 -hmac 0123456789abcdef
	const want = "t=7,v1="
	got := webhook.Sign(secret.New(key), time.Unix(7, 0), []byte("{}"))
	if !strings.HasPrefix(got, want) || len(got) != len(want)+64 || got == webhook.Sign(secret.New(key), time.Unix(8, 0), []byte("{}")) || got == webhook.Sign(secret.New(key+"x"), time.Unix(7, 0), []byte("{}")) {
		t.Errorf("Sign = %s", got)
	}
}

// pipes is a server in the bubble of a test.
type pipes struct {
	serve func(http.ResponseWriter, *http.Request)
}

func (p pipes) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.serve(w, r)
	if w.Code == http.StatusTeapot {
		return nil, &net.OpError{Op: "dial", Err: io.ErrUnexpectedEOF}
	}
	return w.Result(), nil
}

// TestAgain: what may pass is tried again with growing pauses, under the same
// name, and for a quarter of an hour.
func TestAgain(t *testing.T) {
	for name, test := range map[string]struct {
		answers []int // the last for ever
		least   int
		most    int
		took    time.Duration // at most
	}{
		"at once":          {[]int{204}, 1, 1, 0},
		"after trouble":    {[]int{500, http.StatusTeapot, 429, 200}, 4, 4, 8 * time.Second},
		"a plain refusal":  {[]int{403}, 1, 1, 0},
		"redirected":       {[]int{302}, 1, 1, 0},
		"it is never back": {[]int{503}, 10, 25, 16 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tries int
				var last time.Time
				began := time.Now()
				hook := webhook.New(webhook.Config{
					URL: "https://hook.example", Secret: secret.New(key), Log: slog.New(slog.DiscardHandler),
					HTTP: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: pipes{func(w http.ResponseWriter, r *http.Request) {
						if got := receive(r); !got.good || got.delivery != "n_1" {
							t.Errorf("try %d: %+v", tries, got)
						}
						w.WriteHeader(test.answers[min(tries, len(test.answers)-1)])
						tries, last = tries+1, time.Now()
					}}},
				})
				ctx, cancel := context.WithCancel(t.Context())
				go func() { _ = hook.Run(ctx) }()
				hook.Tell(notice)
				time.Sleep(time.Hour)
				cancel()
				synctest.Wait()
				if tries < test.least || tries > test.most || last.Sub(began) > test.took {
					t.Errorf("%d tries, the last after %v", tries, last.Sub(began))
				}
			})
		})
	}
}

// TestGarbageInsteadOfHTTP: nothing of what a stranger answers gets into the log.
func TestGarbageInsteadOfHTTP(t *testing.T) {
	for name, answer := range map[string]string{
		"no HTTP":      "CANARY CANARY\r\n\r\n",
		"a bad length": "HTTP/1.1 204 OK\r\nContent-Length: CANARY\r\n\r\n",
		"a bad status": "HTTP/1.1 CANARY\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
					here, there := net.Pipe()
					go func() { // until what is asked ends
						_, _ = http.ReadRequest(bufio.NewReader(there))
						_, _ = io.WriteString(there, answer)
						_ = there.Close()
					}()
					return here, nil
				}}
				var log bytes.Buffer
				hook := webhook.New(webhook.Config{URL: "http://hook.example/?token=CANARY", Secret: secret.New(key), HTTP: &http.Client{Transport: ours}, Log: slog.New(slog.NewTextHandler(&log, nil))})
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				hook.Tell(notice)
				_ = hook.Run(ctx)
				if !strings.Contains(log.String(), "not delivered") || strings.Contains(log.String(), "CANARY") {
					t.Errorf("the log: %s", &log)
				}
			})
		})
	}
}

// TestNobodyWaits: with no room a notice is dropped and counted.
func TestNobodyWaits(t *testing.T) {
	hook := webhook.New(webhook.Config{URL: "https://hook.example", Log: slog.New(slog.DiscardHandler)})
	for range 300 {
		hook.Tell(notice)
	}
	if hook.Dropped() != 300-256 {
		t.Errorf("%d dropped", hook.Dropped())
	}
}
