package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/stream"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/ratelimit"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

const (
	// admitTimeout is for finding out who is there: a shim waits longer, and
	// hears from the vault what is the matter.
	admitTimeout = wire.HandshakeTimeout / 2
	versionRest  = 60 // seconds before a shim that does not fit looks again
)

// arrival is a shim that has proved which device it is.
type arrival struct {
	device   identity.DeviceID
	standing stream.Standing
	address  string
	network  netip.Prefix
}

func (a arrival) guest() bool { return a.standing.ID == "" }

// ServeHTTP is GET /v1/connect. It returns as soon as the stream has its link,
// so that an idle stream does not cost the HTTP server's goroutine and buffers.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.begin() == nil {
		problem(w, http.StatusServiceUnavailable, usererr.Unavailable, "the vault is starting or stopping", 1)
		return
	}
	defer g.tasks.Done()
	who, ok := g.admit(w, r)
	if !ok {
		return
	}
	waiting := g.waiting
	if who.guest() {
		waiting = g.strangers
	}
	if !waiting.take(who.network) {
		problem(w, http.StatusServiceUnavailable, usererr.RateLimited, "too many connections at once", 5)
		return
	}
	ws, err := wsconn.Upgrade(w, r, wsconn.Options{})
	if err != nil {
		waiting.give(who.network)
		g.cfg.Log.Debug("upgrade refused", "device", who.device, "address", who.address, "err", err)
		return
	}
	l := stream.NewLink(ws, who.address)
	hello, err := readHello(ws)
	waiting.give(who.network)
	if err != nil {
		g.cfg.Log.Info("a connection said no hello", "device", who.device, "address", who.address, "err", err)
		var bye *wire.Bye
		if errors.Is(err, wire.ErrFrame) {
			bye = &wire.Bye{Reason: wire.ByeVersion, Message: "it does not understand how this program begins a conversation"}
		}
		l.End(wsconn.CodeProtocol, bye)
		return
	}
	l.Can = hello.Can
	g.arrive(l, hello, who)
}

// admit finds out who is there. When it returns false it has answered.
func (g *Gateway) admit(w http.ResponseWriter, r *http.Request) (arrival, bool) {
	var who arrival
	if _, ok := r.Header["Origin"]; ok {
		problem(w, http.StatusForbidden, usererr.Denied, "web pages may not connect here", 0)
		return who, false
	}
	ip := g.cfg.Address(r).Unmap().WithZone("")
	if !ip.IsValid() {
		ip = netip.IPv4Unspecified() // which is nobody's, but has limits too
	}
	who.address, who.network = ip.String(), ratelimit.Network(ip)
	if !g.addresses.AllowAddress(ip, time.Now()) {
		problem(w, http.StatusTooManyRequests, usererr.RateLimited, "too many connections from this address", 2)
		return who, false
	}
	if !fits(w, r) {
		g.cfg.Log.Info("a shim of another version", "address", who.address, "speaks", fmt.Sprintf("%.100s", strings.Join(wsconn.Offers(r), " ")))
		return who, false
	}
	g.mu.Lock()
	busy := g.draining || g.server == nil
	g.mu.Unlock()
	if busy {
		problem(w, http.StatusServiceUnavailable, usererr.Unavailable, "the vault is starting or stopping", 1)
		return who, false
	}
	ctx, cancel := context.WithTimeout(r.Context(), admitTimeout)
	defer cancel()
	thumbprint, err := dpop.FromRequest(g.cfg.Verifier, r.WithContext(ctx), g.cfg.PublicURL)
	if err != nil {
		switch {
		case errors.Is(err, dpop.ErrNonce):
		case errors.Is(err, dpop.ErrInvalid), errors.Is(err, dpop.ErrReplayed):
			g.cfg.Log.Info("proof refused", "address", who.address, "err", err)
			if thumbprint != "" {
				g.cfg.Refused(identity.DeviceID(thumbprint), who.address)
			}
		default:
			g.cfg.Log.Error("a proof cannot be checked", "address", who.address, "err", err)
		}
		dpop.Refuse(w, g.cfg.Nonces, err)
		return who, false
	}
	who.device = identity.DeviceID(thumbprint)
	who.standing, err = g.standing(ctx, who.device, g.epoch.Load())
	if err != nil && !errors.Is(err, session.ErrNone) {
		g.cfg.Log.Error("reading a session", "device", who.device, "err", err)
		problem(w, http.StatusServiceUnavailable, usererr.Unavailable, "the vault cannot check who is calling", 5)
		return who, false
	}
	return who, true
}

// fits answers, and returns false, where a shim speaks only other versions of
// the wire. It is asked before anything that might differ between versions.
func fits(w http.ResponseWriter, r *http.Request) bool {
	offers := wsconn.Offers(r)
	theirs := wire.Newest(offers)
	if theirs == 0 || slices.Contains(offers, wire.Subprotocol) {
		return true // what is no shim is refused later
	}
	w.Header().Set("Sec-WebSocket-Protocol", wire.Subprotocol)
	said := wire.Problem{Code: string(usererr.Version), Message: fmt.Sprintf(
		"it speaks version %d of the connection between the two, this program only version %d", wire.Version, theirs)}
	if said.Hint = "Update Coatcheck on this computer, then restart the client"; theirs > wire.Version {
		said.Hint = "Ask the vault's administrator to update the vault; until then an older Coatcheck on this computer works"
	}
	refuse(w, http.StatusBadRequest, said, versionRest)
	return false
}

// problem answers in the shape of every error under /v1.
func problem(w http.ResponseWriter, status int, code usererr.Code, message string, retryAfter int) {
	refuse(w, status, wire.Problem{Code: string(code), Message: message}, retryAfter)
}

func refuse(w http.ResponseWriter, status int, said wire.Problem, retryAfter int) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	if retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(said) // the peer may have gone
}

// readHello reads the first frame of a link, within the time of a handshake.
func readHello(ws *wsconn.Conn) (wire.Hello, error) {
	var hello wire.Hello
	late := time.AfterFunc(wire.HandshakeTimeout, func() { _ = ws.Close(wsconn.CodePolicy, "too slow") })
	defer late.Stop()
	ws.Meter(func(bytes int) int { return min(bytes, wire.MaxControl) })
	text, frame, err := ws.Read()
	if err != nil && !errors.Is(err, wsconn.ErrMetered) {
		return hello, err
	}
	if text || err != nil {
		return hello, wire.ErrFrame
	}
	kind, body, err := wire.KindOf(frame)
	if err != nil {
		return hello, err
	}
	if kind != wire.KindHello {
		return hello, wire.ErrFrame
	}
	if err := wire.Decode(body, &hello); err != nil {
		return hello, err
	}
	if !hello.Named() {
		return hello, wire.ErrFrame
	}
	return hello, nil
}

// arrive puts the link on its stream: the one it had, or a new one.
func (g *Gateway) arrive(l *stream.Link, hello wire.Hello, who arrival) {
	// A shim says hello when it pleases. What was revoked since the upgrade
	// counts before the first message is read.
	var err error
	if who.standing, err = g.renew(who.device, who.standing); err != nil {
		g.cfg.Log.Error("reading a session", "device", who.device, "err", err)
		l.End(wsconn.CodeRestart, byeBlind())
		return
	}
	id := identity.StreamID(hello.Stream)
	s := g.find(who.device, id)
	if s == nil || !s.Resume(l, hello.Received, who.standing) {
		if s != nil {
			s.Drop(wsconn.CodeNormal, nil)
		}
		var bye *wire.Bye
		if s, bye = g.open(who, id); bye != nil {
			l.End(wsconn.CodeRestart, bye)
			return
		}
		g.mu.Lock()
		life, server := g.life, g.server
		g.mu.Unlock()
		if err := s.Connect(life, server); err != nil { // cannot be: our transport always connects
			g.cfg.Log.Error("connecting a stream to the server", "err", err)
			s.Drop(wsconn.CodeRestart, nil)
			g.tasks.Done()
			l.End(wsconn.CodeRestart, nil)
			return
		}
		s.Begin(l, who.standing)
	}
	if g.epoch.Load() == who.standing.Epoch {
		return
	}
	// Something was revoked while the shim arrived, or the watch is yet to
	// hear of it and may have passed by this stream.
	ctx, cancel := g.storeContext()
	defer cancel()
	if err := g.check(ctx, who.device, s); err != nil {
		s.Drop(wsconn.CodeRestart, byeBlind())
	}
}

// renew is was, or what the store says now if anything was revoked since.
func (g *Gateway) renew(device identity.DeviceID, was stream.Standing) (stream.Standing, error) {
	ctx, cancel := g.storeContext()
	defer cancel()
	epoch, err := g.cfg.Sessions.Epoch(ctx)
	if err != nil || epoch == was.Epoch {
		return was, err
	}
	now, err := g.standing(ctx, device, epoch)
	if errors.Is(err, session.ErrNone) {
		err = nil
	}
	return now, err
}

func byeBlind() *wire.Bye {
	return &wire.Bye{Reason: wire.ByeLimit, Message: "the vault cannot check who is calling", RetryAfterMillis: 1000}
}

// open makes a new stream, unless there is one of that name or too many. When
// the vault is full, a guest makes room for somebody who is signed in.
func (g *Gateway) open(who arrival, id identity.StreamID) (*stream.Stream, *wire.Bye) {
	g.evict(who.device)
	var expelled *stream.Stream
	if !who.guest() && g.Streams() >= g.cfg.MaxStreams {
		expelled = g.guests.expel()
	}
	if expelled != nil {
		// Only after the new stream is counted: another guest could be quicker.
		defer expelled.Drop(wsconn.CodePolicy, byeFull("the vault is full; who is signed in comes first"))
	}
	return g.enter(who, id, expelled != nil)
}

// enter counts a new stream; room says that another is about to go.
func (g *Gateway) enter(who arrival, id identity.StreamID, room bool) (*stream.Stream, *wire.Bye) {
	device := who.device
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.running || g.draining || g.server == nil:
		return nil, &wire.Bye{Reason: wire.ByeDrain, RetryAfterMillis: 1000}
	case g.findLocked(device, id) != nil:
		return nil, &wire.Bye{Reason: wire.ByeLimit, Message: "two connections for one stream at once", RetryAfterMillis: 1000}
	case len(g.devices[device]) >= g.cfg.MaxPerDevice:
		return nil, &wire.Bye{Reason: wire.ByeLimit, RetryAfterMillis: 10_000,
			Message: fmt.Sprintf("this device has %d conversations open, which is the limit; close some clients", g.cfg.MaxPerDevice)}
	case g.count >= g.cfg.MaxStreams && !room:
		return nil, byeFull("the vault has as many conversations as it can hold")
	}
	s := stream.New(g.streams, device, id)
	if who.guest() && !g.guests.join(s, who.network) {
		return nil, byeFull("too many conversations of people who are not signed in; run 'coatcheck login'")
	}
	g.devices[device] = append(g.devices[device], s)
	g.count++
	g.tasks.Add(1) // until the SDK has closed its end
	return s, nil
}

func byeFull(message string) *wire.Bye {
	return &wire.Bye{Reason: wire.ByeLimit, Message: message, RetryAfterMillis: 10_000}
}

// evict makes room for a stream of a device that is at its limit, at the
// expense of the stream that was without a link for longest.
func (g *Gateway) evict(device identity.DeviceID) {
	streams := g.of(device)
	if len(streams) < g.cfg.MaxPerDevice {
		return
	}
	var oldest *stream.Stream
	var since time.Time
	for _, s := range streams {
		if linked, lost := s.Linked(); !linked && (oldest == nil || lost.Before(since)) {
			oldest, since = s, lost
		}
	}
	if oldest != nil {
		oldest.Drop(wsconn.CodeNormal, nil)
	}
}
