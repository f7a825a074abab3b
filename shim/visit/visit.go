// Package visit is a connection to the vault that carries no MCP: over it a
// command asks whether this device is signed in, and hears how a sign-in ends.
package visit

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"runtime"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/buildinfo"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/shim/device"
	"github.com/coatcheck-mcp/coatcheck/shim/dial"
	"github.com/coatcheck-mcp/coatcheck/shim/network"
)

const (
	comeBack    = 2 * time.Second  // after the vault went away
	resumeLimit = 10 * time.Second // for the vault's first frame
)

// Config says whom a [Visit] goes to. All fields are required.
type Config struct {
	Network *network.Network
	Vault   *url.URL // the pinned origin
	Prover  device.Prover
}

// Visit is one device at its vault. Its methods are for one goroutine.
type Visit struct {
	Stream   string // its name, by which the vault knows that this process lives
	Version  string // of the vault
	SignedIn bool

	dialer *dial.Dialer
	key    *device.DeviceKey
	conn   *wsconn.Conn
}

// Open connects. Its errors are user errors. Close ends the visit.
func Open(ctx context.Context, cfg Config) (*Visit, error) {
	v := &Visit{
		Stream: rand.Text(),
		dialer: &dial.Dialer{Vault: cfg.Vault, Prover: cfg.Prover, TLS: cfg.Network.TLS, Proxy: cfg.Network.Proxy},
	}
	if err := v.connect(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

// Close ends the visit.
func (v *Visit) Close() { _ = v.conn.Close(wsconn.CodeNormal, "") }

// SignIn is what a visit tells of sign-ins. A *signin.SignIn is one.
type SignIn interface {
	// Done is told of each sign-in that ends.
	Done(result wire.LoginDone)
	// Linked is called when the visit came back to a vault that went away, or to
	// another one.
	Linked()
}

// Listen tells of sign-ins until ctx ends; the visit is closed then.
func (v *Visit) Listen(ctx context.Context, to SignIn) {
	for {
		v.attend(ctx, to)
		select {
		case <-ctx.Done():
			return
		case <-time.After(comeBack):
		}
		if v.connect(ctx) == nil { // otherwise reading fails at once, and it is tried again
			to.Linked()
		}
	}
}

// attend reads until the connection ends.
func (v *Visit) attend(ctx context.Context, to SignIn) {
	conn := v.conn // which outlives this call only in a late AfterFunc
	end := func() { _ = conn.Close(wsconn.CodeNormal, "") }
	defer context.AfterFunc(ctx, end)()
	defer end()
	for {
		text, frame, err := conn.Read()
		if err != nil {
			return
		}
		kind, body, err := wire.KindOf(frame)
		if text || err != nil {
			continue
		}
		switch kind {
		case wire.KindNonce:
			var ask wire.Nonce
			if wire.Decode(body, &ask) != nil || v.prove(ask.Nonce) != nil {
				return
			}
		case wire.KindLoginDone:
			var result wire.LoginDone
			if wire.Decode(body, &result) == nil {
				to.Done(result)
			}
		case wire.KindBye:
			return
		case wire.KindHello, wire.KindResume, wire.KindAck, wire.KindReplay, wire.KindProof, wire.KindLoginRequired:
			// nothing that a visit has to do with
		}
	}
}

// prove answers the vault's question whether this is still the same device.
func (v *Visit) prove(nonce string) error {
	proof, err := v.dialer.Prove(v.key, nonce)
	if err != nil {
		return err
	}
	return v.conn.WriteBinary(wire.Encode(wire.KindProof, wire.Proof{Proof: proof}))
}

// connect dials, says hello and learns how things stand.
func (v *Visit) connect(ctx context.Context) error {
	conn, key, err := v.dialer.Dial(ctx)
	if err != nil {
		return err
	}
	v.conn, v.key = conn, key
	late := time.AfterFunc(resumeLimit, func() { _ = conn.Close(wsconn.CodePolicy, "too slow") })
	defer late.Stop()
	hello := wire.Hello{Stream: v.Stream, Version: buildinfo.Version(), OS: runtime.GOOS, KeyClass: key.Class}
	var resume wire.Resume
	if err = conn.WriteBinary(wire.Encode(wire.KindHello, hello)); err == nil {
		err = first(conn, v.dialer.Vault.String(), &resume)
	}
	if err != nil {
		v.Close()
		if _, ok := usererr.From(err); ok {
			return err
		}
		return usererr.Wrap(err, usererr.Version, "What answers at "+v.dialer.Vault.String()+" did not greet this program as a vault does",
			"Check the vault's address, and whether coatcheck needs an update")
	}
	v.Version, v.SignedIn = resume.Version, resume.SignedIn
	return nil
}

// first reads the vault's first frame, which answers hello.
func first(conn *wsconn.Conn, origin string, resume *wire.Resume) error {
	text, frame, err := conn.Read()
	if err != nil {
		return err
	}
	kind, body, err := wire.KindOf(frame)
	switch {
	case err != nil:
		return err
	case !text && kind == wire.KindBye:
		var bye wire.Bye
		if err := wire.Decode(body, &bye); err != nil {
			return err
		}
		return dial.Goodbye(bye, origin)
	case text || kind != wire.KindResume:
		return errors.New("the first frame is no answer to hello")
	}
	return wire.Decode(body, resume)
}
