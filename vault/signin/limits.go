package signin

// How much one address and one device may ask. Eight shims of one device that
// wait for a login ask about it once in ten seconds each.
const (
	addressRate  = 20 // a second
	addressBurst = 200
	deviceRate   = 5
	deviceBurst  = 60
)

// How many logins strangers, who have no session yet, may begin from one
// address: an office that starts work behind one. On this machine there is
// more leave, since all of a proxy's clients may seem to be there.
const (
	beginRate       = 1 // a second
	beginBurst      = 30
	beginLocalRate  = 20
	beginLocalBurst = 300
)

// rejectRate is how often one login's refused callbacks get a record.
const (
	rejectRate  = 1.0 / 600
	rejectBurst = 3
)
