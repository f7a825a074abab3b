package markup

import "slices"

// Loss lists, in words for people, what is in one storage format and not in the other, and does not show in Markdown:
// macros without a Markdown form, the anchors of inline comments, looks. What cannot be read holds nothing.
func Loss(before, after string) []string {
	was, _ := ToMarkdown(before, Options{})
	now, _ := ToMarkdown(after, Options{})
	kept := append(slices.Clone(now.Lost), now.Flattened...)
	for i := range kept {
		kept[i] = counter.ReplaceAllString(kept[i], "")
	}
	var lost []string
	for _, thing := range append(slices.Clone(was.Lost), was.Flattened...) {
		thing = counter.ReplaceAllString(thing, "")
		if i := slices.Index(kept, thing); i >= 0 {
			kept = slices.Delete(kept, i, i+1)
			continue
		}
		if !slices.Contains(lost, thing) {
			lost = append(lost, thing)
		}
	}
	return lost
}
