package identity

import (
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
)

// SignIn is what a company's identity provider says of a person who has just
// signed in with it, or whose sign-in it has just renewed.
type SignIn struct {
	Person Person
	// SID is the provider's own name of its session (OpenID Connect
	// Back-Channel Logout 1.0 §2.1); "" if it gives none.
	SID string
	// Groups are those of the person, as the provider names them. GroupsKnown
	// is false where it said nothing of groups, which is not the same as none.
	Groups      []string
	GroupsKnown bool
	// Time is when the person last showed who they are (auth_time); zero where
	// the provider does not say.
	Time time.Time
	// Issued is when the provider said all this, by its own clock; zero if that
	// is not known.
	Issued time.Time
	// ACR and AMR say how (OpenID Connect Core 1.0 §2, RFC 8176). ACR has more
	// than one value where the provider names several contexts.
	ACR, AMR []string
	// Refresh renews the sign-in; empty where the provider gives none.
	Refresh secret.String `json:"-"`
}

// Leeway is how far another computer's clock may be from ours.
const Leeway = 3 * time.Minute

// Fresh reports whether the person showed, by the provider's clock, not longer
// ago than age who they are. A time of the future is as good as none.
func (s SignIn) Fresh(age time.Duration, now time.Time) bool {
	return !s.Time.IsZero() && !s.Time.After(now.Add(Leeway)) && now.Sub(s.Time) <= age+Leeway
}

// Role is what a person may do besides working with Confluence.
type Role string

// The roles.
const (
	Administrator Role = "administrator" // may change and revoke
	Auditor       Role = "auditor"       // may look at everything, and change nothing
)
