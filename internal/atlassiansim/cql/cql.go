// Package cql reads and evaluates the Confluence Query Language, as far as the
// simulated Confluence knows it.
package cql

import (
	"errors"
	"slices"
	"strings"
)

// ErrParse is returned for every query that cannot be understood.
var ErrParse = errors.New("could not parse cql")

// Limits of a query.
const (
	maxQuery = 16 << 10
	maxDepth = 64
)

// Query is a parsed query.
type Query struct {
	where expr // nil matches everything
	order []key
}

// key is one field of ORDER BY.
type key struct {
	field string
	desc  bool
}

// expr is a condition: and, or, not or clause.
type expr any

type (
	and struct{ left, right expr }
	or  struct{ left, right expr }
	not struct{ of expr }
	// clause compares a field. Op is one of = != ~ !~ < <= > >= in notin.
	clause struct {
		field, op string
		values    []value
	}
	value struct {
		text string
		call bool // a function, with text its name and arg its argument
		arg  string
	}
)

// fields says which operators a field has: e equality, t text, o order.
func fields() map[string]string {
	return map[string]string{
		"space": "e", "space.key": "e", "space.title": "t", "space.type": "e", "type": "e", "title": "et",
		"text": "t", "sitesearch": "t", "id": "e", "content": "e", "content.id": "e", "label": "e",
		"creator": "e", "contributor": "e", "ancestor": "e", "parent": "e", "lastmodified": "eo", "created": "eo",
		"user": "e", "user.fullname": "t", "user.accountid": "e",
	}
}

func sortable() []string {
	return []string{"lastmodified", "created", "title", "id", "space", "type", "creator", "contributor"}
}

// Parse reads a query.
func Parse(text string) (*Query, error) {
	if len(text) > maxQuery {
		return nil, ErrParse
	}
	tokens, ok := scan(text)
	if !ok {
		return nil, ErrParse
	}
	p := &parser{tokens: tokens}
	q := &Query{}
	if !p.at("order") && !p.end() {
		if q.where, ok = p.or(0); !ok {
			return nil, ErrParse
		}
	}
	if q.order, ok = p.orderBy(); !ok || !p.end() {
		return nil, ErrParse
	}
	return q, nil
}

// Mentions reports whether the query compares field, with value if that is not
// empty.
func (q *Query) Mentions(field, value string) bool { return mentions(q.where, field, value) }

func mentions(e expr, field, text string) bool {
	switch e := e.(type) {
	case and:
		return mentions(e.left, field, text) || mentions(e.right, field, text)
	case or:
		return mentions(e.left, field, text) || mentions(e.right, field, text)
	case not:
		return mentions(e.of, field, text)
	case clause:
		return e.field == field && (text == "" || slices.ContainsFunc(e.values, func(v value) bool { return strings.EqualFold(v.text, text) }))
	}
	return false
}

type parser struct {
	tokens []token
	pos    int
}

func (p *parser) end() bool { return p.pos == len(p.tokens) }

// at reports whether the next token is the keyword or sign.
func (p *parser) at(word string) bool {
	return !p.end() && p.tokens[p.pos].kind != 's' && strings.EqualFold(p.tokens[p.pos].text, word)
}

func (p *parser) take(word string) bool {
	if p.at(word) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) or(depth int) (expr, bool) {
	left, ok := p.and(depth)
	for ok && p.take("or") {
		var right expr
		right, ok = p.and(depth)
		left = or{left, right}
	}
	return left, ok
}

func (p *parser) and(depth int) (expr, bool) {
	left, ok := p.term(depth)
	for ok && p.take("and") {
		var right expr
		right, ok = p.term(depth)
		left = and{left, right}
	}
	return left, ok
}

func (p *parser) term(depth int) (expr, bool) {
	if depth > maxDepth {
		return nil, false
	}
	switch {
	case p.take("not"):
		e, ok := p.term(depth + 1)
		return not{e}, ok
	case p.take("("):
		e, ok := p.or(depth + 1)
		return e, ok && p.take(")")
	}
	return p.clause()
}

func (p *parser) clause() (expr, bool) {
	if p.end() || p.tokens[p.pos].kind != 'w' {
		return nil, false
	}
	c := clause{field: strings.ToLower(p.tokens[p.pos].text)}
	p.pos++
	if p.end() {
		return nil, false
	}
	switch {
	case p.take("in"):
		c.op = "in"
	case p.take("not"):
		if !p.take("in") {
			return nil, false
		}
		c.op = "notin"
	case p.tokens[p.pos].kind == 'o':
		c.op = p.tokens[p.pos].text
		p.pos++
	}
	if !allows(fields()[c.field], c.op) {
		return nil, false
	}
	var ok bool
	if strings.HasSuffix(c.op, "in") {
		c.values, ok = p.list()
	} else {
		var v value
		v, ok = p.value()
		c.values = []value{v}
	}
	return c, ok && c.sensible()
}

// sensible reports whether a field of time is compared with times only.
func (c clause) sensible() bool {
	if !strings.Contains(fields()[c.field], "o") {
		return true
	}
	return !slices.ContainsFunc(c.values, func(v value) bool {
		_, ok := moment(v, Env{})
		return !ok || v.text == "currentuser"
	})
}

// allows reports whether a field with these abilities has an operator.
func allows(abilities, op string) bool {
	switch op {
	case "=", "!=", "in", "notin":
		return strings.Contains(abilities, "e")
	case "~", "!~":
		return strings.Contains(abilities, "t")
	case "<", "<=", ">", ">=":
		return strings.Contains(abilities, "o")
	}
	return false
}

func (p *parser) list() ([]value, bool) {
	if !p.take("(") {
		return nil, false
	}
	var all []value
	for {
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		all = append(all, v)
		if p.take(")") {
			return all, true
		}
		if !p.take(",") {
			return nil, false
		}
	}
}

func (p *parser) value() (value, bool) {
	if p.end() {
		return value{}, false
	}
	t := p.tokens[p.pos]
	if t.kind != 's' && (t.kind != 'w' || keyword(t.text)) {
		return value{}, false
	}
	p.pos++
	if t.kind == 's' || !p.take("(") {
		return value{text: t.text}, true
	}
	v := value{text: strings.ToLower(t.text), call: true}
	if !p.at(")") {
		arg, ok := p.value()
		if !ok || arg.call {
			return value{}, false
		}
		v.arg = arg.text
	}
	return v, p.take(")") && known(v)
}

func keyword(word string) bool {
	return slices.Contains([]string{"and", "or", "not", "in", "order", "by"}, strings.ToLower(word))
}

func (p *parser) orderBy() ([]key, bool) {
	if !p.take("order") {
		return nil, true
	}
	if !p.take("by") {
		return nil, false
	}
	var all []key
	for {
		if p.end() || p.tokens[p.pos].kind != 'w' {
			return nil, false
		}
		k := key{field: strings.ToLower(p.tokens[p.pos].text)}
		p.pos++
		if !slices.Contains(sortable(), k.field) {
			return nil, false
		}
		if k.desc = p.take("desc"); !k.desc {
			p.take("asc")
		}
		all = append(all, k)
		if !p.take(",") {
			return all, true
		}
	}
}
