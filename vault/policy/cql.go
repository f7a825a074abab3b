package policy

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a query.
const (
	MaxQuery      = 4000 // bytes
	maxQueryDepth = 20   // parentheses
)

// ErrQuery is wrapped by every refusal of a query; the text after it says
// what is wrong in words for the person who wrote it.
var ErrQuery = errors.New("the query cannot be used")

// QueryError says what is wrong with a query. It wraps [ErrQuery].
type QueryError struct {
	Problem string // a clause such as "a quote is never closed"
}

// Error implements error.
func (e *QueryError) Error() string { return ErrQuery.Error() + ": " + e.Problem }

// Unwrap returns [ErrQuery].
func (e *QueryError) Unwrap() error { return ErrQuery }

func refuse(problem string) error { return &QueryError{Problem: problem} }

// CQL narrows a query to what the policy allows:
//
//	(query) AND space NOT IN ("LEGAL") ORDER BY …
//
// The query is taken apart into tokens and written anew, so that nothing in
// it can close the parentheses around it; its ORDER BY is moved behind them.
// What cannot be taken apart is refused with [ErrQuery]. Each of narrow is a
// trusted clause that is ANDed as well.
func (p *Policy) CQL(query string, narrow ...string) (string, error) {
	if p == nil {
		return "", ErrDenied
	}
	tokens, err := scan(query)
	if err != nil {
		return "", err
	}
	filter, order, err := split(tokens)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("(" + join(filter) + ")")
	for _, clause := range narrow {
		b.WriteString(" AND " + clause)
	}
	if len(p.allowed) > 0 {
		b.WriteString(" AND space IN (" + quoteAll(p.allowed) + ")")
	}
	if len(p.denied) > 0 {
		b.WriteString(" AND space NOT IN (" + quoteAll(p.denied) + ")")
	}
	if len(order) > 0 {
		b.WriteString(" ORDER BY " + join(order))
	}
	return b.String(), nil
}

// Quote writes text as a CQL string.
func Quote(text string) string {
	// The backslash first: else it would escape the escape.
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func quoteAll(list []string) string {
	quoted := make([]string, len(list))
	for i, text := range list {
		quoted[i] = Quote(text)
	}
	return strings.Join(quoted, ", ")
}

type token struct {
	kind byte // 'w' word, 's' string, '(' ')' ',' themselves, 'o' operator
	text string
}

func (t token) is(word string) bool { return t.kind == 'w' && strings.EqualFold(t.text, word) }

// scan takes a query apart. Strings are unescaped, so that join can escape
// them in the one way that we know to be safe.
func scan(query string) ([]token, error) {
	switch {
	case len(query) > MaxQuery:
		return nil, refuse("it is longer than 4,000 bytes")
	case !utf8.ValidString(query):
		return nil, refuse("it is not valid UTF-8")
	}
	var tokens []token
	for rest := query; ; {
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest == "" {
			return tokens, nil
		}
		if value := rest[0] == '~' && len(tokens) > 0 && strings.IndexByte("o(,", tokens[len(tokens)-1].kind) >= 0; value {
			// Not an operator but the key of a personal space: quote it.
			word, n, err := next(rest[1:] + " ")
			if err != nil || word.kind != 'w' {
				return nil, refuse("~ stands where a value is expected")
			}
			tokens, rest = append(tokens, token{'s', "~" + word.text}), rest[1+n:]
			continue
		}
		t, n, err := next(rest)
		if err != nil {
			return nil, err
		}
		tokens, rest = append(tokens, t), rest[n:]
	}
}

// next reads one token from the start of rest, which is not white space.
func next(rest string) (token, int, error) {
	switch c := rest[0]; c {
	case '(', ')', ',':
		return token{c, rest[:1]}, 1, nil
	case '"', '\'':
		return text(rest)
	case '=', '!', '~', '<', '>':
		n := 1
		if len(rest) > 1 && (rest[1] == '=' && c != '~' && c != '=' || c == '!' && rest[1] == '~') {
			n = 2
		}
		if c == '!' && n == 1 {
			return token{}, 0, refuse("! stands alone; use NOT or !=")
		}
		return token{'o', rest[:n]}, n, nil
	}
	for i, r := range rest {
		if wordEnd(r) {
			if i == 0 {
				return token{}, 0, refuse("a value is missing")
			}
			return token{'w', rest[:i]}, i, nil
		}
		if !wordRune(r) {
			return token{}, 0, refuse("put quotes (\") around values with characters other than letters, digits and . _ - : / + * @ { } %")
		}
	}
	return token{'w', rest}, len(rest), nil
}

func wordEnd(r rune) bool { return strings.ContainsRune(" \t\r\n(),=!~<>\"'", r) }

// wordRune admits what is needed for fields, functions, ids and dates. No
// backslash, typographic quotes, semicolons or controls.
func wordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune("._-:/+*@{}%[]?#&", r)
}

// text reads a string in either kind of quotes. A backslash may escape a
// quote or itself; before other punctuation it belongs to the search syntax
// and stays; before letters (\u0022) it is refused.
func text(rest string) (token, int, error) {
	quote := rest[0]
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == quote:
			return token{'s', b.String()}, i + 1, nil
		case c == '\\':
			i++
			if i == len(rest) {
				return token{}, 0, refuse("a quote is never closed")
			}
			switch e := rest[i]; {
			case e == '"' || e == '\'' || e == '\\':
				b.WriteByte(e)
			case e < utf8.RuneSelf && unicode.IsPunct(rune(e)) || e == '+' || e == '~' || e == '^' || e == '|':
				b.WriteByte('\\')
				b.WriteByte(e)
			default:
				return token{}, 0, refuse("a backslash may only stand before a quote, another backslash or punctuation")
			}
		case c == '\n' || c == '\r' || c == '\t':
			b.WriteByte(' ')
		case c < ' ' || c == 0x7f:
			return token{}, 0, refuse("it has control characters")
		default:
			b.WriteByte(c)
		}
	}
	return token{}, 0, refuse("a quote is never closed")
}

// split checks the parentheses and separates ORDER BY.
func split(tokens []token) (filter, order []token, err error) {
	depth := 0
	for i, t := range tokens {
		switch {
		case t.kind == '(':
			depth++
		case t.kind == ')':
			depth--
		case t.is("order") && i+1 < len(tokens) && tokens[i+1].is("by"):
			if depth > 0 {
				return nil, nil, refuse("ORDER BY stands inside parentheses")
			}
			if filter == nil {
				filter, order = tokens[:i], tokens[i+2:]
				if i == 0 {
					return nil, nil, refuse("there is nothing before ORDER BY")
				}
			}
		}
		if depth < 0 {
			return nil, nil, refuse("a parenthesis is closed that was never opened")
		}
		if depth > maxQueryDepth {
			return nil, nil, refuse("parentheses are nested too deep")
		}
	}
	switch {
	case depth > 0:
		return nil, nil, refuse("a parenthesis is never closed")
	case len(tokens) == 0:
		return nil, nil, refuse("it is empty")
	case filter == nil:
		return tokens, nil, nil
	}
	return filter, order, checkOrder(order)
}

// checkOrder admits a list of fields, each with or without a direction.
func checkOrder(order []token) error {
	for part := range slices.Values(parts(order)) {
		ok := len(part) == 1 || len(part) == 2 && (part[1].is("asc") || part[1].is("desc"))
		if !ok || part[0].kind != 'w' {
			return refuse("ORDER BY takes fields with asc or desc, separated by commas, at the end")
		}
	}
	return nil
}

func parts(tokens []token) [][]token {
	list := [][]token{nil}
	for _, t := range tokens {
		if t.kind == ',' {
			list = append(list, nil)
			continue
		}
		list[len(list)-1] = append(list[len(list)-1], t)
	}
	return list
}

// join writes tokens as a query again.
func join(tokens []token) string {
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 && t.kind != ',' && t.kind != ')' && tokens[i-1].kind != '(' && (t.kind != '(' || tokens[i-1].kind != 'w' || keyword(tokens[i-1])) {
			b.WriteByte(' ')
		}
		if t.kind == 's' {
			b.WriteString(Quote(t.text))
			continue
		}
		b.WriteString(t.text)
	}
	return b.String()
}

// keyword tells `IN (` from the call `now(`.
func keyword(t token) bool {
	return t.is("and") || t.is("or") || t.is("not") || t.is("in")
}
