// Package adf gathers what a page says from Atlassian's document format, the JSON that Confluence's editor keeps.
package adf

import "github.com/coatcheck-mcp/coatcheck/vault/markup/reading"

// Read gathers a document. It reports false for texts that are none.
func Read(body string) (reading.Result, bool) { return reading.Result{}, false }
