// Package markup turns Confluence's storage format into Markdown and back.
//
// A page goes through a model of what its reader sees, in vault/markup/page, which knows no syntax:
//
//	storage format -> storage.Parse -> reading.Read \                / printing.Print -> Markdown
//	document format ----------------->  adf.Read     > page.Block > <
//	Markdown -----------------------> parsing.Parse /                \ writing.Write  -> storage format
//
// Two laws hold, and tests try to break them. Nothing that a page says vanishes: what Markdown has no form for is named by a
// placeholder ([Document.Lost]), what loses only its frame or look is named in [Document.Flattened]. And Markdown that was
// read from a page, written and read again is the same Markdown.
//
// The package is pure: no I/O, no clock, no randomness, no shared state; every function may be called concurrently. It knows
// nothing of people, policy or HTTP. Foreign bytes never make it panic and never cost it more than linear time; what it
// writes is always well-formed and never holds a script, or a macro that the Markdown did not ask for. No HTML parser takes
// part: HTML in Markdown is read by the XML parser of storage format and a short list of elements, or stays text.
package markup
