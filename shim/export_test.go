package shim

import (
	"context"
	"net"
)

// WithNetDial replaces the network.
func (c Config) WithNetDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) Config {
	c.netDial = dial
	return c
}
