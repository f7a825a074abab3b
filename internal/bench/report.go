package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// The contenders, in the order of the rows.
const (
	coatcheck    = "coatcheck"
	guest        = "coatcheck, not signed in"
	down         = "coatcheck, vault down"
	direct       = "direct Go stdio server"
	socket       = "bare websocket (the limit)"
	remote       = "mcp-remote"
	supergateway = "supergateway"
	node         = "node, which the bridges need"
	wholeVault   = "the whole vault"
	pipeline     = "encoding/xml, HTML nodes, html-to-markdown"
	plain        = "plain HTTP"
	bothHalves   = "vault and shim together"
)

// measure is one thing that is measured.
type measure string

// The measures, in their order.
const (
	spawn      measure = "(a) spawn to the answer to initialize, ms"
	trip1      measure = "(b) round trip, 1 KB result, µs"
	trip64     measure = "(b) round trip, 64 KB result, µs"
	flood16    measure = "(c) calls/s, 1 KB, 16 in flight"
	flood64    measure = "(c) calls/s, 1 KB, 64 in flight"
	idleMemory measure = "(d) resident memory when idle, MiB"
	peakMemory measure = "(d) peak memory of this traffic, MiB"
	size       measure = "(e) program on disk, MiB"
	streams    measure = "(f) vault memory per idle signed-in stream, KiB"
	wholeTrip  measure = "whole vault: round trip of confluence_list_spaces, µs"
	whole16    measure = "whole vault: calls/s of confluence_list_spaces, 16 in flight"
	whole64    measure = "whole vault: calls/s of confluence_list_spaces, 64 in flight"
	reading    measure = "(g) storage format to Markdown on one core, MB/s"
	moveUp     measure = "(h) a large file to Confluence, MB/s"
	moveDown   measure = "(h) a large file from Confluence to the disk, MB/s"
	moveMemory measure = "(h) memory that is taken meanwhile, MiB"
)

// goal is a target: a limit on a value, or on its ratio to another contender.
type goal struct {
	of      string
	against string // "" for a limit on the value itself
	atLeast bool   // otherwise at most
	limit   float64
}

// goals are the targets of a measure.
func goals(m measure) []goal {
	switch m {
	case spawn:
		var all []goal
		for _, who := range []string{coatcheck, guest, down} {
			all = append(all, goal{who, direct, false, 1.2}, goal{who, remote, false, 1.0 / 50})
		}
		return all
	case trip1:
		return []goal{{coatcheck, direct, false, 1.5}, {coatcheck, remote, false, 0.2}}
	case trip64:
		return []goal{{coatcheck, direct, false, 1.25}, {coatcheck, remote, false, 0.5}}
	case flood16, flood64:
		return []goal{{coatcheck, direct, true, 0.9}, {coatcheck, remote, true, 4}}
	case idleMemory:
		return []goal{{coatcheck, "", false, 12}}
	case peakMemory:
		return []goal{{coatcheck, "", false, 20}}
	case size:
		return []goal{{coatcheck, "", false, 12}}
	case streams:
		return []goal{{streamsOf(10_000), "", false, 16}}
	case whole16, whole64:
		return []goal{{wholeVault, direct, true, 0.5}}
	case reading:
		return []goal{{coatcheck, "", true, 20}, {coatcheck, pipeline, true, 2}}
	case moveUp, moveDown:
		return []goal{{wholeVault, plain, true, 0.6}}
	case moveMemory:
		return []goal{{bothHalves, "", false, 32}}
	case listTokens:
		return []goal{{usualTools, "", false, 6_000}}
	case listTools:
		return []goal{{usualTools, "", false, 16}, {allTools, "", false, 32}}
	case wholeTrip:
	}
	return nil
}

func streamsOf(n int) string { return fmt.Sprintf("%d streams", n) }

// verdict says what a goal wants and whether it is reached.
func (g goal) verdict(rows map[string]*series) string {
	value, want := rows[g.of].median(), fmt.Sprintf("%.4g", g.limit)
	if g.against != "" {
		other, ok := rows[g.against]
		if !ok {
			return "(no " + g.against + " to compare with)"
		}
		value, want = rows[g.of].ratio(*other), want+" x "+g.against
	}
	sign, reached := "<=", value <= g.limit
	if g.atLeast {
		sign, reached = ">=", value >= g.limit
	}
	if reached {
		return sign + " " + want + ": reached"
	}
	return sign + " " + want + ": MISSED"
}

// results hold every series.
type results struct {
	order []measure
	rows  map[measure]map[string]*series
	names map[measure][]string
}

func newResults() *results {
	return &results{rows: map[measure]map[string]*series{}, names: map[measure][]string{}}
}

// of returns the series of a contender, making it where there is none.
func (r *results) of(m measure, contender string) *series {
	if r.rows[m] == nil {
		r.order = append(r.order, m)
		r.rows[m] = map[string]*series{}
	}
	if r.rows[m][contender] == nil {
		r.rows[m][contender] = new(series)
		r.names[m] = append(r.names[m], contender)
	}
	return r.rows[m][contender]
}

// print writes a table for each measure.
func (r *results) print(out io.Writer) {
	order := []string{coatcheck, guest, down, wholeVault, direct, socket, remote, supergateway, node, usualTools, allTools, pipeline, plain, bothHalves}
	for _, m := range r.order {
		fmt.Fprintf(out, "\n%s\n", m)
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "  \tmedian\tp10 to p90\tx direct\tx mcp-remote\ttarget")
		names := slices.Clone(r.names[m])
		slices.SortStableFunc(names, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
		for _, name := range names {
			r.row(table, m, name)
		}
		_ = table.Flush() // to a terminal that may have gone
	}
}

func (r *results) row(out io.Writer, m measure, name string) {
	rows := r.rows[m]
	values := rows[name].all()
	var verdicts []string
	for _, g := range goals(m) {
		if g.of == name {
			verdicts = append(verdicts, g.verdict(rows))
		}
	}
	against := func(other string) string {
		to, ok := rows[other]
		if !ok || other == name {
			return ""
		}
		return number(rows[name].ratio(*to))
	}
	spread := ""
	if len(values) > 1 {
		spread = number(percentile(values, 0.1)) + " to " + number(percentile(values, 0.9))
	}
	fmt.Fprintf(out, "  %s\t%s\t%s\t%s\t%s\t%s\n", name, number(percentile(values, 0.5)), spread,
		against(direct), against(remote), strings.Join(verdicts, "; "))
}

// number writes three digits that count.
func number(x float64) string {
	switch {
	case math.IsNaN(x):
		return "-"
	case math.Abs(x) >= 100:
		return fmt.Sprintf("%.0f", x)
	case math.Abs(x) >= 10:
		return fmt.Sprintf("%.1f", x)
	case math.Abs(x) >= 0.1:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.4f", x)
}
