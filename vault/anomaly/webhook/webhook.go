// Package webhook tells somebody elsewhere of alarms: a POST of JSON to an
// https address, signed. Nobody waits for it, and what cannot be delivered in a
// quarter of an hour is given up.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/remote"
)

// Headers of a notice. The signature is "t=SECONDS,v1=HEX", where HEX is the
// HMAC-SHA-256 of the seconds, a dot, and the body.
const (
	SignatureHeader = "Coatcheck-Signature"
	DeliveryHeader  = "Coatcheck-Delivery" // the same when a notice is sent again
)

const (
	maxQueue   = 256
	sendTime   = 10 * time.Second
	giveUp     = 15 * time.Minute
	leastPause = time.Second
	mostPause  = 2 * time.Minute
	maxAnswer  = 4 << 10 // is read, so that the connection can be used again
)

// Notice is what is sent. It never has anything of a page in it.
type Notice struct {
	ID        string             `json:"id"`
	Event     string             `json:"event"`
	Time      time.Time          `json:"time"`
	Rule      string             `json:"rule"`
	Action    string             `json:"action"`
	Value     float64            `json:"value"`
	Threshold float64            `json:"threshold"`
	Text      string             `json:"text"`
	Tenant    identity.TenantID  `json:"tenant"`
	Person    identity.PersonID  `json:"person"`
	Device    identity.DeviceID  `json:"device,omitempty"`
	Session   identity.SessionID `json:"session,omitempty"`
	Address   string             `json:"address,omitempty"`
}

// Config is what a hook needs. Everything is required.
type Config struct {
	URL    string
	Secret secret.String // that signatures are made with
	HTTP   *http.Client
	Log    *slog.Logger
}

// Hook sends notices in order. [Hook.Tell] may be called from many goroutines.
type Hook struct {
	cfg     Config
	queue   chan Notice
	dropped atomic.Int64
}

// New returns a hook, whose [Hook.Run] sends.
func New(cfg Config) *Hook { return &Hook{cfg: cfg, queue: make(chan Notice, maxQueue)} }

// Tell takes a notice to be sent, and returns false if too many wait. It never
// waits.
func (h *Hook) Tell(n Notice) bool {
	select {
	case h.queue <- n:
		return true
	default:
		h.dropped.Add(1)
		return false
	}
}

// Dropped counts the notices for which there was no room.
func (h *Hook) Dropped() int64 { return h.dropped.Load() }

// Run sends until ctx ends. What waits then is lost; it is on record.
func (h *Hook) Run(ctx context.Context) error {
	for ctx.Err() == nil { // which a select alone would notice only by chance
		select {
		case n := <-h.queue:
			h.deliver(ctx, n)
		case <-ctx.Done():
		}
	}
	if left := len(h.queue); left > 0 {
		h.cfg.Log.WarnContext(ctx, "notices of alarms were not sent", "left", left)
	}
	return nil
}

// deliver sends a notice, again and again while that may help.
func (h *Hook) deliver(ctx context.Context, n Notice) {
	body, err := json.Marshal(n)
	if err != nil {
		h.cfg.Log.ErrorContext(ctx, "writing a notice", "rule", n.Rule, "err", err)
		return
	}
	began, pause := time.Now(), leastPause
	for {
		again, err := h.send(ctx, n.ID, body)
		if err == nil {
			return
		}
		if !again || time.Since(began)+pause > giveUp || ctx.Err() != nil {
			h.cfg.Log.ErrorContext(ctx, "a notice of an alarm was not delivered", "rule", n.Rule, "person", n.Person, "notice", n.ID, "err", err)
			return
		}
		wait := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
		}
		pause = min(2*pause, mostPause)
	}
}

// send sends once. again says that it may work later.
func (h *Hook) send(ctx context.Context, id string, body []byte) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("the address of the webhook is none")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "coatcheck-vault")
	req.Header.Set(DeliveryHeader, id)
	req.Header.Set(SignatureHeader, Sign(h.cfg.Secret, time.Now(), body))
	res, err := h.cfg.HTTP.Do(req)
	if err != nil {
		// Its text has the address, which may be as good as a password, and may
		// quote what was received.
		if known := remote.Unreached(err); known != nil {
			return true, known
		}
		return true, errors.New("no answer")
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer)
	switch {
	case res.StatusCode/100 == 2:
		return false, nil
	case res.StatusCode == http.StatusRequestTimeout, res.StatusCode == http.StatusTooManyRequests, res.StatusCode/100 == 5:
		return true, fmt.Errorf("it answers %d", res.StatusCode)
	}
	return false, fmt.Errorf("it answers %d", res.StatusCode)
}

// Sign makes the signature of a body that is sent at a time.
func Sign(key secret.String, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
