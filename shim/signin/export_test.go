package signin

// What the fuzz tests reach directly: everything that reads what a vault says.
var (
	CheckPage = checkPage
	Clean     = clean
)

// Limits of the loopback.
const (
	MaxTries       = maxTries
	MaxConnections = maxConnections
)
