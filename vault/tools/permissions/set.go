package permissions

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/permissions"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const setName = "confluence_set_restrictions"

type setIn struct {
	Page         arguments.Ref `json:"page" jsonschema:"id or URL"`
	ReadAdd      []string      `json:"read_add,omitempty" jsonschema:"who may read from now on: me, user:ACCOUNT_ID, group:GROUP_ID"`
	ReadRemove   []string      `json:"read_remove,omitempty" jsonschema:"as read_add"`
	UpdateAdd    []string      `json:"update_add,omitempty" jsonschema:"as read_add"`
	UpdateRemove []string      `json:"update_remove,omitempty" jsonschema:"as read_add"`
	Lift         bool          `json:"lift,omitempty" jsonschema:"allow that the last one is removed, which opens the page to everybody of the space"`
	DryRun       bool          `json:"dry_run,omitempty" jsonschema:"only say what would change"`
	Site         string        `json:"site,omitempty" jsonschema:"site name, if the person has several"`
}

type setOut struct {
	Page    string    `json:"page"`
	Read    []subject `json:"read" jsonschema:"after the change; nobody: everybody who may see the space"`
	Update  []subject `json:"update"`
	Changes []string  `json:"changes"`
	Message string    `json:"message"`
}

var setTool = tool.Spec[setIn, setOut]{
	Name: setName, Title: "Change who may use a Confluence page",
	Description: "Add and remove users and groups that may read or update a Confluence page. What is not named stays as it is. Refused where it would lock the person out.",
	Toolset:     toolset, Write: true, Destructive: true,
	Run: set,
}

// order is what is wanted of one operation.
type order struct {
	operation   string
	add, remove []permissions.Subject
}

func set(ctx context.Context, t *tool.Set, in setIn) (setOut, string, error) {
	orders, err := readOrders(in)
	if err != nil {
		return setOut{}, "", err
	}
	run := func(ctx context.Context, w *guard.Wiki) (setOut, error) { return change(ctx, w, in, orders) }
	op := guard.Op[setOut]{
		Tool: setName, Site: in.Site, Page: string(in.Page), Input: in, Run: run,
		Check: "Look at the restrictions with confluence_get_restrictions; making the same change again does no harm",
	}
	if !in.DryRun {
		// The second time changes nothing, so settling is doing it again.
		op.Settle = func(ctx context.Context, w *guard.Wiki, _ time.Time) (setOut, error) { return run(ctx, w) }
	}
	out, err := guard.Do(ctx, t.Door, op)
	return out, setText(out), err
}

func readOrders(in setIn) ([]order, error) {
	var all []order
	for _, o := range []struct {
		operation   string
		add, remove []string
	}{{permissions.Read, in.ReadAdd, in.ReadRemove}, {permissions.Update, in.UpdateAdd, in.UpdateRemove}} {
		add, err := readSubjects(o.add)
		if err != nil {
			return nil, err
		}
		remove, err := readSubjects(o.remove)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(add, func(s permissions.Subject) bool { return slices.Contains(remove, s) }) {
			return nil, usererr.New(usererr.BadInput, "The same user or group is to be added and removed", "Name each once")
		}
		if len(add)+len(remove) > 0 {
			all = append(all, order{o.operation, add, remove})
		}
	}
	if len(all) == 0 {
		return nil, usererr.New(usererr.BadInput, "There is nothing to change", "Give read_add, read_remove, update_add or update_remove")
	}
	return all, nil
}

// step is one request that changes something.
type step struct {
	operation string
	subject   permissions.Subject
	add       bool
}

func (s step) String() string {
	kind, verb, preposition := "user", "remove", "from"
	if s.subject.Group {
		kind = "group"
	}
	if s.add {
		verb, preposition = "add", "to"
	}
	return fmt.Sprintf("%s %s:%s %s %s", verb, kind, s.subject.ID, preposition, s.operation)
}

func change(ctx context.Context, w *guard.Wiki, in setIn, orders []order) (setOut, error) {
	page, err := w.Page(ctx, string(in.Page))
	if err != nil {
		return setOut{}, err
	}
	person, err := w.Me(ctx)
	if err != nil {
		return setOut{}, err
	}
	now, err := permissions.Of(ctx, w, page)
	if err != nil {
		return setOut{}, err
	}
	p := plan{next: permissions.Named{permissions.Read: now[permissions.Read], permissions.Update: now[permissions.Update]}, me: person.ID}
	for _, o := range orders {
		p.apply(o)
	}
	if err := p.check(ctx, w, now, in.Lift); err != nil {
		return setOut{}, err
	}
	out := setOut{Page: page.ID, Changes: []string{}}
	for _, s := range p.steps {
		out.Changes = append(out.Changes, s.String())
	}
	switch {
	case len(p.steps) == 0:
		out.Message = "Nothing had to be changed: the restrictions are as wanted."
	case in.DryRun:
		out.Message = "This is a dry run: nothing was changed."
	default:
		if err := p.send(ctx, w, page); err != nil {
			return setOut{}, err
		}
		out.Message = fmt.Sprintf("The restrictions of page %s were changed.", page.ID)
	}
	out.Read, out.Update = shown(p.next[permissions.Read]), shown(p.next[permissions.Update])
	return out, nil
}

// plan is what the restrictions become, and the steps on the way.
type plan struct {
	next  permissions.Named
	me    string // account id
	steps []step
}

func is(s permissions.Subject) func(permissions.Subject) bool {
	return func(other permissions.Subject) bool { return other.Group == s.Group && other.ID == s.ID }
}

func (p *plan) apply(o order) {
	named := slices.Clone(p.next[o.operation])
	for _, s := range p.resolved(o.add) {
		if !slices.ContainsFunc(named, is(s)) {
			named = append(named, s)
			p.steps = append(p.steps, step{o.operation, s, true})
		}
	}
	for _, s := range p.resolved(o.remove) {
		if i := slices.IndexFunc(named, is(s)); i >= 0 {
			named = slices.Delete(named, i, i+1)
			p.steps = append(p.steps, step{o.operation, s, false})
		}
	}
	p.next[o.operation] = named
	// The person first, and who is added before who is removed: no state on the
	// way may lock the person out, or open the page.
	slices.SortStableFunc(p.steps, func(a, b step) int { return p.rank(a) - p.rank(b) })
}

func (p *plan) resolved(list []permissions.Subject) []permissions.Subject {
	var all []permissions.Subject
	for _, s := range list {
		if s.ID == "" {
			s.ID = p.me
		}
		all = append(all, s)
	}
	return all
}

func (p *plan) rank(s step) int {
	switch {
	case !s.add:
		return 2
	case s.subject.ID == p.me && !s.subject.Group:
		return 0
	}
	return 1
}

// check refuses what would lock the person out, and what would open the page
// without being asked to.
func (p *plan) check(ctx context.Context, w *guard.Wiki, now permissions.Named, lift bool) error {
	var groups []string
	asked := false
	for _, operation := range []string{permissions.Read, permissions.Update} {
		next := p.next[operation]
		if len(next) == 0 {
			if len(now[operation]) > 0 && !lift {
				return usererr.Wrap(guard.ErrRefused, usererr.BadInput,
					fmt.Sprintf("This would remove the last one who is named for %s, and so open the page to everybody of the space; nothing was changed", operation),
					"Call again with lift: true if that is meant")
			}
			continue
		}
		if slices.ContainsFunc(next, is(permissions.Subject{ID: p.me})) {
			continue
		}
		if !asked && slices.ContainsFunc(next, func(s permissions.Subject) bool { return s.Group }) {
			var err error
			if groups, err = permissions.MyGroups(ctx, w); err != nil {
				return err
			}
			asked = true
		}
		if !slices.ContainsFunc(next, func(s permissions.Subject) bool { return s.Group && slices.Contains(groups, s.ID) }) {
			return usererr.Wrap(guard.ErrRefused, usererr.BadInput,
				fmt.Sprintf("This would lock you out: you would not be among those who may %s the page; nothing was changed", operation),
				fmt.Sprintf("Add me to %s_add as well", operation))
		}
	}
	return nil
}

// send makes the steps, and looks whether they had their effect.
func (p *plan) send(ctx context.Context, w *guard.Wiki, page guard.Page) error {
	for i, s := range p.steps {
		tool.Progress(ctx, i, len(p.steps), "changing restrictions")
		make := permissions.Remove
		if s.add {
			make = permissions.Add
		}
		err := make(ctx, w, page, s.operation, s.subject)
		if err != nil && i > 0 {
			return tool.Detailed(err, fmt.Sprintf("Made before that: %s. Not made: %s.", told(p.steps[:i]), told(p.steps[i:])))
		}
		if err != nil {
			return err
		}
	}
	now, err := permissions.Of(ctx, w, page)
	if err != nil {
		return guard.Happened(err)
	}
	for _, s := range p.steps {
		if slices.ContainsFunc(now[s.operation], is(s.subject)) != s.add {
			return usererr.New(usererr.Unknown, "Confluence did not take all of the changes", "Look at them with confluence_get_restrictions")
		}
	}
	p.next = now
	return nil
}

func told(steps []step) string {
	var all []string
	for _, s := range steps {
		all = append(all, s.String())
	}
	return strings.Join(all, ", ")
}

func setText(out setOut) string {
	var b strings.Builder
	b.WriteString(out.Message + "\n")
	for _, c := range out.Changes {
		b.WriteString("- " + c + "\n")
	}
	list(&b, "May read", out.Read)
	list(&b, "May update", out.Update)
	if len(out.Read) == 0 {
		b.WriteString("\nNobody is named for reading: everybody who may see the space may read the page.\n")
	}
	return b.String()
}
