package cql

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Words takes text apart into what the index keeps: lower-case words without
// their commonest endings.
func Words(text string) []string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		words[i] = stem(w)
	}
	return words
}

func stem(word string) string {
	for _, ending := range []string{"ments", "ment", "ings", "ing", "ies", "es", "ed", "s", "e"} {
		if rest, ok := strings.CutSuffix(word, ending); ok && len(rest) >= 4 {
			return rest
		}
	}
	return word
}

// find looks for all terms of a text query: words, prefixes with a star, and
// phrases in quotes. The score grows with the number of hits.
func find(query string, words []string) (float64, bool) {
	hits, some := 0, false
	for i, part := range strings.Split(query, `"`) {
		var terms [][]string
		if phrase := i%2 == 1; phrase {
			terms = [][]string{Words(part)}
		} else {
			for _, w := range strings.Fields(part) {
				terms = append(terms, term(w))
			}
		}
		for _, t := range terms {
			if len(t) == 0 {
				continue
			}
			some = true
			n := occurrences(t, words)
			if n == 0 {
				return 0, false
			}
			hits += n
		}
	}
	if !some {
		return 0, false
	}
	return float64(hits) / float64(len(words)+20), true
}

// term is one word of a query; "foo-bar" is a phrase of two. A final star
// stays.
func term(w string) []string {
	switch strings.ToUpper(w) {
	case "AND", "OR":
		return nil
	}
	parts := Words(w)
	if prefix, ok := strings.CutSuffix(w, "*"); ok && len(parts) > 0 {
		raw := strings.FieldsFunc(strings.ToLower(prefix), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		parts[len(parts)-1] = raw[len(raw)-1] + "*"
	}
	return parts
}

func occurrences(phrase, words []string) int {
	n := 0
	for i := range words {
		if i+len(phrase) > len(words) {
			break
		}
		if slices.EqualFunc(phrase, words[i:i+len(phrase)], func(want, got string) bool {
			if prefix, ok := strings.CutSuffix(want, "*"); ok {
				return strings.HasPrefix(got, prefix)
			}
			return want == got
		}) {
			n++
		}
	}
	return n
}

// Terms lists the words for which a query looks in titles and texts, for
// excerpts.
func (q *Query) Terms() []string { return terms(q.where, nil) }

func terms(e expr, all []string) []string {
	switch e := e.(type) {
	case and:
		return terms(e.right, terms(e.left, all))
	case or:
		return terms(e.right, terms(e.left, all))
	case clause:
		if e.op == "~" {
			all = append(all, Words(e.values[0].text)...)
		}
	}
	return all
}

// known reports whether a function exists, with this argument.
func known(v value) bool {
	switch v.text {
	case "currentuser":
		return v.arg == ""
	case "now", "startofday", "startofweek", "startofmonth", "startofyear":
		_, ok := offset(time.Time{}, v.arg)
		return ok
	}
	return false
}

// moment is the time that a value names.
func moment(v value, env Env) (time.Time, bool) {
	if !v.call {
		for _, layout := range []string{"2006-01-02 15:04", "2006/01/02 15:04", "2006-01-02", "2006/01/02"} {
			if at, err := time.Parse(layout, v.text); err == nil {
				return at, true
			}
		}
		return time.Time{}, false
	}
	at := env.Now.UTC()
	day := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	switch v.text {
	case "startofday":
		at = day
	case "startofweek":
		at = day.AddDate(0, 0, -int(day.Weekday()))
	case "startofmonth":
		at = day.AddDate(0, 0, 1-day.Day())
	case "startofyear":
		at = time.Date(at.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return offset(at, v.arg)
}

// offset adds something like "-4w" to a time.
func offset(at time.Time, text string) (time.Time, bool) {
	if text == "" {
		return at, true
	}
	n, err := strconv.Atoi(text[:len(text)-1])
	if err != nil || n < -100_000 || n > 100_000 {
		return at, false
	}
	switch text[len(text)-1] {
	case 'y':
		return at.AddDate(n, 0, 0), true
	case 'M':
		return at.AddDate(0, n, 0), true
	case 'w':
		return at.AddDate(0, 0, 7*n), true
	case 'd':
		return at.AddDate(0, 0, n), true
	case 'h':
		return at.Add(time.Duration(n) * time.Hour), true
	case 'm':
		return at.Add(time.Duration(n) * time.Minute), true
	}
	return at, false
}
