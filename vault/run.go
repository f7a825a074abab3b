package vault

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// GCPercent is what a process that runs a vault gives debug.SetGCPercent,
// unless GOGC says something else. Each call leaves more than 100 KiB of
// garbage, most of it the SDK's reading of JSON, and little lives long: at the
// default of 100 a vault that few people use collects every few dozen calls,
// which costs a quarter of its time.
const GCPercent = 400

// ballast is counted by the collector and is never touched, so it takes no
// memory: with it, the heap of a vault that few people use grows to some
// 100 MiB between collections instead of 20. GCPercent alone would have to be
// so high for that, that a vault full of people would grow without measure.
const ballast = 16 << 20

const (
	drainTimeout    = 25 * time.Second
	shutdownTimeout = 5 * time.Second
)

// Run runs a vault until ctx ends, then drains it: shims are told to come
// back, calls under way finish, and only then the store is closed. It returns
// nil after an orderly end; errors at the start are user errors where there is
// something to do.
func Run(ctx context.Context, cfg Config) (err error) {
	v, err := assemble(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.db.Close()) }()
	listener, err := v.listen(ctx)
	if err != nil {
		return err
	}
	v.notary, err = v.evidence.Notary(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	v.retention, err = v.evidence.Retention(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{
		Handler:           v.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug), // mostly peers that hang up
	}
	weight := make([]byte, ballast)
	defer runtime.KeepAlive(weight)
	v.log.Info("the vault is up", "address", listener.Addr().String(), "public_url", cfg.Settings.Network.PublicURL, "version", cfg.Version)
	return v.serve(ctx, server, listener)
}

// serve runs the parts side by side and stops them in order: no new
// connections, then the streams, then the loops.
func (v *assembly) serve(ctx context.Context, server *http.Server, listener net.Listener) error {
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var parts sync.WaitGroup
	failed := make(chan error, 12)
	run := func(name string, part func(context.Context) error) {
		parts.Go(func() { // ends with life
			if err := part(life); err != nil && life.Err() == nil {
				failed <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	run("gateway", v.gateway.Run)
	run("grants", v.grants.Run)
	run("sign-in", v.signin.Run)
	if v.company != nil {
		run("company sign-ins", v.company.Run)
	}
	run("administration", v.desk.Run)
	v.anomalies.run(run)
	if v.notary != nil {
		run("audit checkpoints", v.notary.Run)
	}
	if v.retention != nil {
		run("audit retention", v.retention.Run)
	}
	if settings := v.watchSettings(); settings != nil {
		run("settings", settings)
	}
	run("http", func(context.Context) error { // ends with Shutdown
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	drain, cancel := context.WithTimeout(life, drainTimeout)
	defer cancel()
	// Arriving shims are refused by the gateway from here on; sign-in pages
	// stay until the end, so that a browser on its way is not lost.
	v.gateway.Drain(drain)
	ending, cancel := context.WithTimeout(life, shutdownTimeout)
	defer cancel()
	if closing := server.Shutdown(ending); closing != nil {
		_ = server.Close() // what is still open had its time
	}
	stop()
	parts.Wait()
	v.log.Info("the vault is down")
	return err
}

// listen opens the vault's port.
func (v *assembly) listen(ctx context.Context) (net.Listener, error) {
	n := v.cfg.Settings.Network
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", n.Listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, usererr.Wrap(err, usererr.Settings, "The address "+n.Listen+" is taken by another program, perhaps another vault", "Stop that one, or set network.listen to a free port")
	case errors.Is(err, syscall.EACCES):
		return nil, usererr.Wrap(err, usererr.Settings, "The address "+n.Listen+" may not be used by this user", "Set network.listen to a port above 1023")
	case err != nil:
		return nil, usererr.Wrap(err, usererr.Settings, "The address "+n.Listen+" cannot be listened on", "Set network.listen to an address of this machine")
	}
	if n.TLS.CertFile == "" {
		return listener, nil
	}
	pair, err := tls.LoadX509KeyPair(v.cfg.Settings.Path(n.TLS.CertFile), v.cfg.Settings.Path(n.TLS.KeyFile))
	if err != nil {
		_ = listener.Close()
		return nil, usererr.Wrap(err, usererr.Settings, "network.tls does not name a certificate and its key that can be read", "Both must be PEM files that belong together")
	}
	return tls.NewListener(listener, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}), nil
}
