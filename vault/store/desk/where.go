package desk

import (
	"strconv"
	"strings"
)

// where is a WHERE clause with its arguments, numbered from one.
type where struct {
	text strings.Builder
	args []any
}

// arg adds an argument and returns its placeholder.
func (w *where) arg(value any) string {
	w.args = append(w.args, value)
	return "$" + strconv.Itoa(len(w.args))
}

// is adds "AND column = value", unless the value is empty.
func (w *where) is(column, value string) {
	if value != "" {
		w.and(column + " = " + w.arg(value))
	}
}

func (w *where) and(text string) { w.text.WriteString(" AND " + text) }

// in adds "AND column IN (…)".
func in[T ~string](w *where, column string, ids []T) {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = w.arg(string(id))
	}
	w.and(column + " IN (" + strings.Join(list, ",") + ")")
}
