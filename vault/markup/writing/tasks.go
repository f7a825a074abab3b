package writing

import (
	"regexp"
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
)

// number finds the highest number that a task has already.
func (w *writer) number(blocks []page.Block) {
	for i := range blocks {
		b := &blocks[i]
		if id, err := strconv.Atoi(b.Name); err == nil && b.Kind == page.Item && b.Task != 0 {
			w.tasks = max(w.tasks, id)
		}
		w.number(b.Kids)
		if b.Kind != page.Grid {
			continue
		}
		for _, row := range b.Table.Rows {
			for _, c := range row.Cells {
				w.number(c.Kids)
			}
		}
	}
}

// taskID is the number of a task in storage format.
var taskID = regexp.MustCompile(`<ac:task-id>\s*([0-9]{1,18})\s*</ac:task-id>`)

// numbered notes the numbers of the tasks in storage format.
func (w *writer) numbered(body string) {
	for _, found := range taskID.FindAllStringSubmatch(body, -1) {
		if id, err := strconv.Atoi(found[1]); err == nil {
			w.tasks = max(w.tasks, id)
			w.taken[found[1]] = true
		}
	}
}

// taskList writes ac:task-list.
func (w *writer) taskList(items []page.Block) {
	w.inner++
	defer func() { w.inner-- }()
	w.str("<ac:task-list>")
	for i := range items {
		w.task(&items[i])
	}
	w.str("</ac:task-list>")
}

// task writes one task. Confluence wants a number for each that is its own within the page: the one that it had, or a new
// one.
func (w *writer) task(b *page.Block) {
	id := b.Name
	if id == "" || w.taken[id] {
		w.tasks++
		id = strconv.Itoa(w.tasks)
	}
	w.taken[id] = true
	w.str("<ac:task><ac:task-id>" + id + "</ac:task-id><ac:task-status>" + State(b.Task) + "</ac:task-status><ac:task-body>")
	kids := b.Kids
	if len(kids) > 0 && kids[0].Kind == page.Paragraph {
		w.spans(kids[0].Text)
		kids = kids[1:]
	}
	w.blocks(kids)
	w.str("</ac:task-body></ac:task>")
}

// State is what Confluence calls the state of a task.
func State(task byte) string {
	if task == 'x' {
		return "complete"
	}
	return "incomplete"
}

// decisions writes a list of decisions, which only Atlassian's document format knows.
func (w *writer) decisions(items []page.Block) {
	w.inner++
	defer func() { w.inner-- }()
	w.str(`<ac:adf-extension><ac:adf-node type="decision-list">`)
	for i := range items {
		w.decision(&items[i])
	}
	w.str("</ac:adf-node></ac:adf-extension>")
}

// decision writes one decision; it holds text and no blocks.
func (w *writer) decision(b *page.Block) {
	state := "DECIDED"
	if b.Task == '?' {
		state = "UNDECIDED"
	}
	w.str(`<ac:adf-node type="decision-item"><ac:adf-attribute key="state">` + state + `</ac:adf-attribute><ac:adf-content>`)
	kids := b.Kids
	if len(kids) > 0 && kids[0].Kind == page.Paragraph {
		w.spans(kids[0].Text)
		kids = kids[1:]
	}
	w.blocks(kids)
	w.str("</ac:adf-content></ac:adf-node>")
}
