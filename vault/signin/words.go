package signin

import (
	"net/http"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/consent"
)

// The ways on from a page.

func toCompany(address string) way {
	return way{"On the way to your company’s sign-in", "There you show who you are. If you are signed in already, it takes a moment and asks nothing.", "Go to the sign-in", address}
}

func toAtlassian(address string) way {
	return way{"On the way to Atlassian", "There you choose your account and give your consent.", "Go to Atlassian", address}
}

func homeward(address string) way {
	return way{"Almost done", "Your consent is still good, so Atlassian is not asked again. Your computer finishes the sign-in.", "Finish", address}
}

func toCode(address string) way {
	return way{"Almost done", "The next page has a code for your terminal.", "Show the code", address}
}

// The notes, one for each thing that may have to be told. Each says what
// happened and what to do; none repeats what somebody else sent.

const closeTab = "You may close this tab."

// success names the account, since a browser may have been signed in to
// another one than the person had in mind.
func success(l consent.Login) note {
	result := l.Details.Result
	n := note{
		Status: http.StatusOK, Kind: "good", Title: "You are signed in",
		Text: []string{"Your assistant goes on by itself with what you asked. " + closeTab},
		Hint: "Not the account you meant? Run “coatcheck logout”, then sign in again.",
	}
	name := "Atlassian account"
	if l.Company() {
		name = "Signed in as"
		n.Hint = "Not the Atlassian account you meant? Run “coatcheck login”, and choose to use another one."
	}
	if l.Details.StepUp != "" {
		n.Title, n.Hint = "Thank you", "For a while your assistant may use what needs a fresh sign-in."
	}
	account := result.Name
	if result.Email != "" && result.Email != account {
		account = strings.TrimSpace(account + " (" + result.Email + ")")
	}
	var sites []string
	for _, site := range result.Sites {
		sites = append(sites, strings.TrimPrefix(site.URL, "https://"))
	}
	for _, f := range []fact{{name, account}, {"Confluence", strings.Join(sites, ", ")}, {"Computer", l.Details.Asker.Host}} {
		if f.Value != "" {
			n.Facts = append(n.Facts, f)
		}
	}
	return n
}

// refused is for both ways to say no: on our page and on Atlassian's.
func refused(consent.Login) note {
	return note{
		Status: http.StatusOK, Kind: "no", Title: "You declined",
		Text: []string{"Nothing was stored and nobody was signed in. Your assistant has been told. " + closeTab},
		Hint: "Changed your mind? Run “coatcheck login”, or ask your assistant again in a minute.",
	}
}

// failed shows a reason, which is always a text of ours.
func failed(why consent.Reason) note {
	return note{
		Status: http.StatusOK, Kind: "bad", Title: "Sign-in did not complete",
		Text: []string{why.Message + "."}, Hint: sentence(why.Hint),
	}
}

// failedFor is failed with who signed in, where the company had told: it may be
// another account than the person had in mind.
func failedFor(l consent.Login) note {
	n := failed(l.Details.Reason)
	if name := l.Details.Result.Name; name != "" && l.Company() {
		n.Facts = []fact{{"Signed in as", name}}
	}
	return n
}

// sentence ends a hint, which has no period of its own.
func sentence(hint string) string {
	if hint == "" {
		return ""
	}
	return hint + "."
}

// finishing is seen when the page is reloaded while the shim is at work.
func finishing() note {
	return note{
		Status: http.StatusOK, Kind: "wait", Title: "Almost done",
		Text: []string{"Your computer is finishing the sign-in. This page will tell you when it is done."}, Again: true,
	}
}

// typeThis shows the code that takes the place of a browser's way home.
func typeThis(l consent.Login, code string) note {
	where := "“coatcheck login” asks for it"
	if host := l.Details.Asker.Host; host != "" {
		where += " on " + host
	}
	return note{
		Status: http.StatusOK, Kind: "wait", Title: "Your code is " + code,
		Text: []string{"Type it where " + where + ". This page tells you when you are signed in."},
		Hint: "Tell the code to nobody. If you did not start a sign-in in a terminal yourself, close this tab: somebody may be trying to use your account.", Again: true,
	}
}

// expired is for a link that nobody used in time.
func expired() note {
	return note{
		Status: http.StatusGone, Kind: "bad", Title: "This sign-in has expired",
		Text: []string{"A sign-in must be completed within ten minutes. Nothing was stored."}, Hint: "Ask your assistant again to start a new one.",
	}
}

// used is for a link that is over, seen by a browser that had no part in it:
// it learns nothing but that.
func used() note {
	return note{
		Status: http.StatusGone, Kind: "no", Title: "This sign-in is over",
		Text: []string{"The link works once, and it was used. If your assistant says that you are signed in, all is well. " + closeTab},
		Hint: "Otherwise ask your assistant again to start a new sign-in.",
	}
}

// elsewhere is for a second browser, and for one that keeps no cookies.
func elsewhere() note {
	return note{
		Status: http.StatusConflict, Kind: "bad", Title: "This sign-in is open in another browser",
		Text: []string{"It can only be finished where it was begun: in the same browser, on the computer that asked. Nobody was signed in here."},
		Hint: "If this is that browser, let it keep cookies for this site, then ask your assistant again. If somebody sent you this link, close this tab: it may have been meant to trick you.",
	}
}

// unknown is for a link that was made up, cut short or long forgotten.
func unknown() note {
	return note{
		Status: http.StatusNotFound, Kind: "bad", Title: "This link leads nowhere",
		Text: []string{"The sign-in that it belonged to is long over, or the link is not complete."}, Hint: "Ask your assistant again to start a new sign-in.",
	}
}

// stray is for a callback that belongs to no login in this browser.
func stray() note {
	return note{
		Status: http.StatusBadRequest, Kind: "bad", Title: "There is no sign-in for this page",
		Text: []string{"It can only be reached from a sign-in that is under way in this browser. Nobody was signed in."}, Hint: "Ask your assistant again to start a new sign-in.",
	}
}

// strangeForm is for a form that another site sent in the person's name.
func strangeForm() note {
	return note{
		Status: http.StatusForbidden, Kind: "bad", Title: "This did not come from our page",
		Text: []string{"The request was sent from somewhere else, so nothing was done."}, Hint: "Go back to the sign-in page and click there.",
	}
}

// tooMuch is for an address over its rate.
func tooMuch() note {
	return note{
		Status: http.StatusTooManyRequests, Kind: "bad", Title: "Too many requests",
		Text: []string{"More came from your network at once than this page answers."}, Hint: "Wait a moment, then reload this page.",
	}
}

// broken is for our own faults; the log has the reference.
func broken(reference string) note {
	return note{
		Status: http.StatusInternalServerError, Kind: "bad", Title: "Something went wrong on our side",
		Text: []string{"Nothing was stored."}, Hint: "Ask the administrator of the vault to look for " + reference + " in its log.",
	}
}
