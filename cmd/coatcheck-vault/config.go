package main

import (
	"fmt"
	"text/tabwriter"
)

type checkConfigCmd struct{}

// Run prints what is in force, or fails with every problem.
func (checkConfigCmd) Run(p program, c *cli) error {
	s, err := p.settings(c)
	if err != nil {
		return err
	}
	for _, warning := range s.Warnings {
		_, _ = fmt.Fprintln(p.err, "warning: "+warning)
	}
	table := p.table("SETTING", "VALUE", "FROM")
	for _, line := range s.Lines() {
		row(table, line.Key, line.Value, line.Source)
	}
	return table.Flush()
}

// table begins a table with a heading.
func (p program) table(heading ...string) *tabwriter.Writer {
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	row(w, heading...)
	return w
}

// row adds a row; the writer keeps errors until Flush.
func row(w *tabwriter.Writer, cells ...string) {
	for i, cell := range cells {
		if i > 0 {
			_, _ = fmt.Fprint(w, "\t")
		}
		_, _ = fmt.Fprint(w, cell)
	}
	_, _ = fmt.Fprintln(w)
}

func (p program) say(format string, args ...any) error {
	_, err := fmt.Fprintf(p.out, format+"\n", args...)
	return err
}
