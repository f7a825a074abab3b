package gateway

// Buffered is how many bytes wait for shims.
func (g *Gateway) Buffered() int64 { return g.streams.Room.Used() }
