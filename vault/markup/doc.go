// Package markup turns Confluence's storage format into Markdown and back.
//
// A page goes through a model of what its reader sees, in vault/markup/page, which knows no syntax:
//
//	storage format -> storage.Parse -> reading.Read \                / printing.Print -> Markdown
//	document format ----------------->  adf.Read     > page.Block > <
//	Markdown -----------------------> parsing.Parse /                \ writing.Write  -> storage format
//
// An edited page is written by [Rewrite], which goes down the page before and the page after side by side and writes only what
// changed. Laws hold, and tests and fuzzing try to break them:
//
//   - Markdown that was not edited gives back the page byte for byte, and an edit leaves all bytes beside it alone.
//   - Nothing that a page says vanishes: what Markdown has no form for is named by a placeholder ([Document.Lost]) that is put
//     back byte for byte; what loses only its look is named in [Document.Flattened]. [Loss] names what a write would drop.
//   - Markdown that was read from a page, written and read again is the same Markdown.
//   - What is written is well-formed, and all of it is on a short list: no script, no macro that the Markdown did not ask for.
//
// The package is pure: no I/O, no clock, no randomness, no shared state; every function may be called concurrently. It knows
// nothing of people, policy or HTTP. Foreign bytes never make it panic and never cost it more than linear time. No HTML parser
// takes part: HTML in Markdown is read by the XML parser of storage format and a short list of elements, or stays text.
package markup
