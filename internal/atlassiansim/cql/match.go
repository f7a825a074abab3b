package cql

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Doc is what can be found.
type Doc struct {
	ID, Type, Title                string
	SpaceKey, SpaceName, SpaceType string
	Words                          []string // of title, body and labels, by [Words]
	TitleWords                     []string
	Labels                         []string
	Creator                        string
	Contributors                   []string
	Created, Modified              time.Time
	Parent                         string
	Ancestors                      []string
}

// Env is who asks and when.
type Env struct {
	User string // account id
	Now  time.Time
}

// Match reports whether d is found, and how well.
func (q *Query) Match(d *Doc, env Env) (score float64, ok bool) {
	if q.where == nil {
		return 0, true
	}
	return match(q.where, d, env)
}

func match(e expr, d *Doc, env Env) (float64, bool) {
	switch e := e.(type) {
	case and:
		left, ok := match(e.left, d, env)
		if !ok {
			return 0, false
		}
		right, ok := match(e.right, d, env)
		return left + right, ok
	case or:
		left, one := match(e.left, d, env)
		right, two := match(e.right, d, env)
		return left + right, one || two
	case not:
		_, ok := match(e.of, d, env)
		return 0, !ok
	case clause:
		return e.match(d, env)
	}
	return 0, false
}

func (c clause) match(d *Doc, env Env) (float64, bool) {
	switch c.op {
	case "~", "!~":
		score, ok := c.text(d)
		return score, ok == (c.op == "~")
	case "=", "in":
		return 0, c.equals(d, env)
	case "!=", "notin":
		return 0, !c.equals(d, env)
	}
	at, ok := moment(c.values[0], env)
	return 0, ok && ordered(c.op, c.time(d).Compare(at))
}

func ordered(op string, sign int) bool {
	switch op {
	case "<":
		return sign < 0
	case "<=":
		return sign <= 0
	case ">":
		return sign > 0
	}
	return sign >= 0
}

func (c clause) time(d *Doc) time.Time {
	if c.field == "created" {
		return d.Created
	}
	return d.Modified
}

func (c clause) text(d *Doc) (float64, bool) {
	words, weight := d.Words, 1.0
	switch c.field {
	case "title", "user.fullname":
		words, weight = d.TitleWords, 4
	case "space.title":
		words = Words(d.SpaceName)
	}
	score, ok := find(c.values[0].text, words)
	if c.field == "text" || c.field == "sitesearch" {
		// A hit in the title counts more.
		more, _ := find(c.values[0].text, d.TitleWords)
		score += 3 * more
	}
	return weight * score, ok
}

func (c clause) equals(d *Doc, env Env) bool {
	return slices.ContainsFunc(c.values, func(v value) bool {
		want := v.text
		if v.call {
			if v.text == "currentuser" {
				want = env.User
			} else if at, ok := moment(v, env); ok {
				return c.time(d).Equal(at)
			}
		}
		switch c.field {
		case "lastmodified", "created":
			at, ok := moment(v, env)
			return ok && c.time(d).Truncate(24*time.Hour).Equal(at.Truncate(24*time.Hour))
		case "label":
			return slices.ContainsFunc(d.Labels, func(l string) bool { return strings.EqualFold(l, want) })
		case "contributor":
			return slices.Contains(d.Contributors, want)
		case "ancestor":
			return slices.Contains(d.Ancestors, want)
		}
		return strings.EqualFold(c.field1(d), want)
	})
}

// field1 is the value of a field that has one.
func (c clause) field1(d *Doc) string {
	switch c.field {
	case "space", "space.key":
		return d.SpaceKey
	case "space.type":
		return d.SpaceType
	case "type":
		return d.Type
	case "title":
		return d.Title
	case "creator":
		return d.Creator
	case "parent":
		return d.Parent
	}
	return d.ID
}

// Sort orders docs as the query asks; without ORDER BY by score, best first,
// then the newest first.
func (q *Query) Sort(docs []Scored) {
	slices.SortStableFunc(docs, func(a, b Scored) int {
		for _, k := range q.order {
			sign := compare(k.field, a.Doc, b.Doc)
			if k.desc {
				sign = -sign
			}
			if sign != 0 {
				return sign
			}
		}
		if len(q.order) == 0 {
			if sign := cmp.Compare(b.Score, a.Score); sign != 0 {
				return sign
			}
			if sign := b.Doc.Modified.Compare(a.Doc.Modified); sign != 0 {
				return sign
			}
		}
		return compare("id", a.Doc, b.Doc)
	})
}

// Scored is a doc that was found.
type Scored struct {
	Doc   *Doc
	Score float64
}

func compare(field string, a, b *Doc) int {
	switch field {
	case "lastmodified":
		return a.Modified.Compare(b.Modified)
	case "created":
		return a.Created.Compare(b.Created)
	case "title":
		return strings.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title))
	case "space":
		return strings.Compare(a.SpaceKey, b.SpaceKey)
	case "type":
		return strings.Compare(a.Type, b.Type)
	case "creator", "contributor":
		return strings.Compare(a.Creator, b.Creator)
	}
	x, _ := strconv.ParseInt(a.ID, 10, 64) // ids are ours and numeric
	y, _ := strconv.ParseInt(b.ID, 10, 64)
	return cmp.Compare(x, y)
}
