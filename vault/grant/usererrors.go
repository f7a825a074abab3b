package grant

import "github.com/coatcheck-mcp/coatcheck/internal/usererr"

const (
	signIn = "Sign in with the link that your browser shows, then ask again"
	later  = "Try again in a minute"
)

func errNoGrant() error {
	return usererr.Wrap(ErrNone, usererr.SignIn, "You have not given Coatcheck access to Confluence, or it was taken back", signIn)
}

func errSignInAgain() error {
	return usererr.Wrap(ErrRefused, usererr.SignIn, "Atlassian does not accept your sign-in any more", signIn)
}

func errStore(err error) error {
	return usererr.Wrap(err, usererr.Unavailable, "The vault cannot use its database", later)
}

func errUnrecorded(err error, then string) error {
	return usererr.Wrap(err, usererr.Unavailable, "The vault could not record your consent, so "+then, "Tell the administrator of the vault; its log knows more")
}

func errSealed(err error) error {
	return usererr.Wrap(err, usererr.Unavailable, "The vault cannot open your sign-in", "Tell the administrator of the vault; its log knows more")
}

func errDown(err error) error {
	return usererr.Wrap(err, usererr.Unavailable, "Your sign-in cannot be renewed, because Atlassian's sign-in service does not answer as it should", later)
}

func errManyRefused() error {
	return usererr.Wrap(ErrRefused, usererr.Unavailable, "Atlassian refuses the sign-ins of many people at once", "Tell the administrator of the vault; signing in again may not help")
}

func errDeadOnArrival() error {
	return usererr.New(usererr.Unavailable, "Confluence does not accept the tokens that Atlassian has just issued", "Try again in a few minutes")
}

func errStopping() error {
	return usererr.New(usererr.Unavailable, "The vault is stopping", later)
}

func errWaiting(err error) error {
	return usererr.Wrap(err, usererr.Timeout, "Your sign-in could not be renewed in time", later)
}
