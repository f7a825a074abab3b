package main

import (
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/shim/settings"
)

const helpWidth = 80

// description begins the help.
const description = `Connects an MCP client to your company's Coatcheck vault, and through it to Confluence. No token is ever on this computer.

Settings come from the company's policy, which locks, then flags, variables, and the settings file; "coatcheck status" shows them all and where each came from.

Exit status: 0 done, 1 failed, 2 wrong settings or arguments, 3 the vault cannot be reached, 4 not signed in.`

// entry is something to explain.
type entry struct{ name, about string }

// showHelp writes the manual page of the program, or of its command if one was
// named.
func (l *line) showHelp(w io.Writer) error {
	var text strings.Builder
	own, about := "<command>", description
	if l.named {
		own, about = l.command.name, l.command.about
	}
	fmt.Fprintf(&text, "Usage: coatcheck %s [flags]\n\n", own)
	for i, paragraph := range strings.Split(about, "\n\n") {
		if i > 0 {
			text.WriteString("\n")
		}
		text.WriteString(strings.Join(wrap(paragraph, helpWidth), "\n") + "\n")
	}
	flags := []entry{{"--help", "Show this."}, {"--version", "Show the version."}}
	if l.command.flags != nil {
		set := flag.NewFlagSet("", flag.ContinueOnError)
		l.command.flags(set)
		set.VisitAll(func(f *flag.Flag) {
			value, usage := flag.UnquoteUsage(f)
			if value != "" {
				value = "=" + value
			}
			flags = append(flags, entry{"--" + f.Name + value, usage})
		})
	}
	explain(&text, "Flags", flags)
	explain(&text, "Settings", settingRows())
	if !l.named {
		var rows []entry
		for _, c := range commands() {
			rows = append(rows, entry{c.name, c.about})
		}
		explain(&text, "Commands", rows)
		text.WriteString("\nRun \"coatcheck <command> --help\" for more about a command.\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func settingRows() []entry {
	rows := []entry{{"--config=FILE", "Read this settings file instead of the usual one ($" + envConfig + ")."}}
	for _, key := range settings.Keys() {
		name := "--" + key.Flag
		if key.Value != "" {
			name += "=" + key.Value
		}
		rows = append(rows, entry{name, strings.TrimSuffix(key.About, ".") + " ($" + key.Env + ")."})
	}
	return rows
}

// explain writes rows in two columns.
func explain(text *strings.Builder, title string, rows []entry) {
	fmt.Fprintf(text, "\n%s:\n", title)
	column := 0
	for _, r := range rows {
		column = max(column, len(r.name)+4)
	}
	for _, r := range rows {
		name := r.name
		for _, about := range wrap(r.about, helpWidth-2-column) {
			fmt.Fprintf(text, "  %-*s%s\n", column, name, about)
			name = ""
		}
	}
}

// wrap breaks text into lines of at most width bytes, where there are spaces.
func wrap(text string, width int) []string {
	var lines []string
	now := ""
	for _, word := range strings.Fields(text) {
		if now != "" && len(now)+1+len(word) > width {
			lines, now = append(lines, now), ""
		}
		now = strings.TrimPrefix(now+" "+word, " ")
	}
	return append(lines, now)
}
