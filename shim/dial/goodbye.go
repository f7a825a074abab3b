package dial

import (
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// Goodbye says what the goodbye of the vault at origin means.
func Goodbye(bye wire.Bye, origin string) *usererr.Error {
	said := Clean(bye.Message)
	if said != "" {
		said = ": " + said
	}
	switch bye.Reason {
	case wire.ByeRevoked:
		return usererr.New(usererr.Revoked, "The vault ended the session of this device"+said, "Ask again to sign in")
	case wire.ByeExpired:
		return usererr.New(usererr.Unavailable, "The session ended"+said, "Ask again")
	case wire.ByeLimit:
		return usererr.New(usererr.Unavailable, "The vault at "+origin+" does not take this connection now"+said, hint(bye.Hint, "It is tried again by itself"))
	case wire.ByeVersion:
		return usererr.New(usererr.Version, "The vault at "+origin+" and this program do not fit together"+said, hint(bye.Hint, "Update Coatcheck on this computer, then restart the client; if there is no update, ask the vault's administrator for one of the vault"))
	case wire.ByeDrain:
	}
	return usererr.New(usererr.Unavailable, "The vault at "+origin+" is restarting", "Ask again in a moment")
}

func hint(said, usual string) string {
	if said = Clean(said); said != "" {
		return said
	}
	return usual
}
