package markup_test

import (
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
)

// Tasks of a part of a page have numbers that no task beside it has.
func TestTasksOfAPart(t *testing.T) {
	const (
		task   = `<ac:task><ac:task-id>%</ac:task-id><ac:task-status>incomplete</ac:task-status><ac:task-body>a</ac:task-body></ac:task>`
		beside = `<ac:task-list><ac:task><ac:task-id>7</ac:task-id><ac:task-status>complete</ac:task-status><ac:task-body>b</ac:task-body></ac:task></ac:task-list>`
	)
	list := func(ids ...string) string {
		var all string
		for _, id := range ids {
			all += strings.Replace(task, "%", id, 1)
		}
		return "<ac:task-list>" + all + "</ac:task-list>"
	}
	for markdown, want := range map[string]string{
		"- [ ] a": list("8"),
		"- [ ] a <!-- task 7 -->\n- [ ] a <!-- task 2 -->": list("8", "2"),
	} {
		if got, err := markup.FromMarkdown(markdown, markup.Options{Beside: beside}); got != want || err != nil {
			t.Errorf("%s: %s, %v, want %s", markdown, got, err, want)
		}
	}
	before := list("3")
	after, lost, err := markup.Rewrite(before, read(t, before)+"- [ ] a\n- [ ] a <!-- task 7 -->\n", markup.Options{Beside: beside})
	if want := list("3", "8", "9"); after != want || len(lost) > 0 || err != nil {
		t.Errorf("rewritten: %s, %v, %v, want %s", after, lost, err, want)
	}
}
