package gateway

// Buffered is how many bytes wait for shims.
func (g *Gateway) Buffered() int64 { return g.streams.Room.Used() + g.streams.Guests.Used() }

// GuestsHold is how many bytes of guests are kept.
func (g *Gateway) GuestsHold() int64 { return g.streams.Guests.Used() }

// LimitGuests is how many streams of guests one network may have.
func (g *Gateway) LimitGuests(each int) { g.guests.tally.each = each }
