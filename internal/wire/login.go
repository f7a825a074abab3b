package wire

// LoginStart is the body of POST [LoginStartPath], sent with a DPoP proof of
// the device. Each shim process that needs the sign-in registers its own.
type LoginStart struct {
	// Loopback is where this process waits for the browser:
	// http://127.0.0.1:PORT/PATH with an unguessable path.
	Loopback string `json:"loopback"`
	// ByCode says that there is no loopback, because the person's browser is on
	// another computer: the page shows a code, which takes the place of the
	// ticket.
	ByCode bool `json:"by_code,omitempty"`
	// Challenge is the S256 challenge (RFC 7636 §4.2) of a verifier that only
	// this process knows.
	Challenge string `json:"challenge"`
	// Stream names the stream over which this process is connected: while it
	// is, the process lives and may be chosen to finish the login.
	Stream string `json:"stream"`
	Tenant string `json:"tenant,omitempty"`
	Host   string `json:"host,omitempty"` // for the consent page
	User   string `json:"user,omitempty"` // for the consent page
	// Force asks for a tab even shortly after a refusal: a person typed
	// "coatcheck login".
	Force bool `json:"force,omitempty"`
	// OpenFailed hands on the right to open the tab: this process had it and
	// could not. Start then names the earlier start.
	OpenFailed bool   `json:"open_failed,omitempty"`
	Start      string `json:"start,omitempty"`
}

// LoginStarted answers LoginStart.
type LoginStarted struct {
	Login string `json:"login"`
	Start string `json:"start"`
	// URL is where the person signs in, on the vault's own origin.
	URL string `json:"url"`
	// Open says that this process holds the right to open the tab.
	Open             bool  `json:"open"`
	ExpiresInSeconds int64 `json:"expires_in"`
}

// LoginFinish is the body of POST [LoginFinishPath], sent with a DPoP proof of
// the same device.
type LoginFinish struct {
	Start    string `json:"start"`
	Ticket   string `json:"ticket"`
	Verifier string `json:"verifier"`
	// What is shown of the device in lists of sessions; it decides nothing.
	OS       string `json:"os,omitempty"`
	Version  string `json:"version,omitempty"`
	KeyClass string `json:"key_class,omitempty"` // "keychain" or "file"
}

// LoginFinished answers LoginFinish: where the waiting browser goes now, on
// the vault's own origin.
type LoginFinished struct {
	OK      bool   `json:"ok"`
	Page    string `json:"page"`
	Message string `json:"message,omitempty"`
}

// Logout is the body of POST [LogoutPath], sent with a DPoP proof of a device
// that somebody is signed in on. An older vault reads none and ends the session
// of the device.
type Logout struct {
	// Everywhere ends the sessions of the person on all devices, and what he
	// or she allowed at Atlassian.
	Everywhere bool `json:"everywhere,omitempty"`
}

// LoggedOut answers Logout with Everywhere: how much ended.
type LoggedOut struct {
	Everywhere bool `json:"everywhere"`
	Sessions   int  `json:"sessions"`
	Grants     int  `json:"grants"`
}

// Loopback query parameters, set by the vault's redirect to the shim.
const (
	ParamTicket = "ticket"
	ParamStart  = "start"
)

// Problem is the body of every error answer under /v1.
type Problem struct {
	Code    string `json:"code"` // a usererr.Code
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Page is where a browser that waits should go, when there is one.
	Page string `json:"page,omitempty"`
}
