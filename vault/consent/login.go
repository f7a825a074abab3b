package consent

import (
	"github.com/coatcheck-mcp/coatcheck/vault/consent/login"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/starts"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// Errors of stores.
var (
	// ErrNone says that there is no such login or start.
	ErrNone = starts.ErrNone
	// ErrMoved says that somebody else changed a login meanwhile.
	ErrMoved = login.ErrMoved
	// ErrFull says that too many logins are under way.
	ErrFull = login.ErrFull
)

// A login as it is stored; see the package login.
type (
	Login      = login.Login
	Phase      = login.Phase
	Details    = login.Details
	Asker      = login.Asker
	Result     = login.Result
	Reason     = login.Reason
	Find       = login.Find
	LoginStore = login.Store
)

// The phases of a login.
const (
	Open      = login.Open
	AtCompany = login.AtCompany
	Vouching  = login.Vouching
	Choosing  = login.Choosing
	Asking    = login.Asking
	Parked    = login.Parked
	Finishing = login.Finishing
	Granted   = login.Granted
	Done      = login.Done
	Refused   = login.Refused
	Failed    = login.Failed
	Expired   = login.Expired
)

// Start is one process's part in a login, and StartStore keeps them.
type (
	Start      = starts.Start
	StartID    = starts.ID
	StartStore = starts.Store
)

// secrets are what a login must be able to say again, sealed together.
type secrets struct {
	Link     string `json:"link"`
	Form     string `json:"form,omitempty"`     // proves that a form came from our page
	State    string `json:"state,omitempty"`    // for whoever sends the browser back
	Nonce    string `json:"nonce,omitempty"`    // for the company's ID token
	Verifier string `json:"verifier,omitempty"` // of PKCE
	Cookie   string `json:"cookie,omitempty"`   // of the browser that went on
	Code     string `json:"code,omitempty"`     // that the page shows
	// SignIn is what the company said, with Refresh of it.
	SignIn  *identity.SignIn `json:"sign_in,omitempty"`
	Refresh string           `json:"refresh,omitempty"`
}
