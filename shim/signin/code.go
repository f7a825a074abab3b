package signin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

const maxCode = 64 // bytes of what a person types

// typed is what a person typed where the page's code is asked for.
type typed struct {
	code string
	err  error
}

// byCode signs in with a code that the person copies from the page, as no
// browser comes back to this computer. It returns false, and no error, where
// that is not to be: the vault does not do it, or nobody types.
func (r *run) byCode(ctx context.Context) (ended bool, err error) {
	err = r.start(ctx, false)
	if code := usererr.CodeOf(err); code == usererr.Denied || code == usererr.BadInput {
		r.in.cfg.Log.InfoContext(ctx, "no sign-in with a code here", "err", err)
		return false, nil
	}
	if err != nil {
		return true, err
	}
	r.codes, r.problems = make(chan typed), make(chan string, 1)
	asking, stop := context.WithCancel(ctx)
	defer stop()
	// Ends with asking, which AskCode follows; Close waits.
	r.in.joined.Go(func() { r.askCodes(asking) })
	err = r.wait(ctx)
	if err == errNobodyTypes { //nolint:errorlint // it is never wrapped
		r.starts, r.codes, r.force = nil, nil, true // what comes now takes its place
		return false, nil
	}
	return true, err
}

var errNobodyTypes = usererr.New(usererr.Unavailable, "Nobody types the code that the page shows", "")

// askCodes asks the person, and again after a code that was wrong.
func (r *run) askCodes(ctx context.Context) {
	for problem := ""; ; {
		code, err := r.in.cfg.AskCode(ctx, problem)
		select {
		case r.codes <- typed{strings.TrimSpace(code), err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
		select {
		case problem = <-r.problems:
		case <-ctx.Done():
			return
		}
	}
}

// try hands a code in. done is false if another one may be typed.
func (r *run) try(ctx context.Context, t typed) (done bool, err error) {
	if t.err != nil {
		return true, errNobodyTypes
	}
	if t.code == "" || len(t.code) > maxCode {
		r.problems <- ""
		return false, nil
	}
	_, err = r.handIn(ctx, r.starts[len(r.starts)-1], t.code)
	if usererr.CodeOf(err) == usererr.BadInput {
		r.problems <- usererr.Text(err, "")
		return false, nil
	}
	return true, err
}

// challenge is the S256 challenge of the verifier (RFC 7636 §4.2).
func (r *run) challenge() string {
	sum := sha256.Sum256([]byte(r.verifier.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
