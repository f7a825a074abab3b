package markup

import (
	"regexp"
	"slices"
)

// Rewrite writes a page anew from Markdown that was edited: before is the storage format that the Markdown was read from.
// What did not change keeps its bytes; Markdown that was not edited gives back before, byte for byte. Placeholders are put
// back from before, and those that are not from there by Options.Original. lost names what was in before and is not in
// after although nobody can have wanted it, see [Loss]: a caller refuses to go on unless it was told otherwise. The error
// is [ErrTooLarge], or a [*storage.Error] about before.
func Rewrite(before, markdown string, opt Options) (after string, lost []string, err error) {
	doc, err := ToMarkdown(before, opt)
	if err != nil {
		return "", nil, err
	}
	if doc.Markdown == markdown {
		return before, nil, nil
	}
	ask := opt.Original
	opt.Original = func(placeholder string) (string, bool) {
		if text, ok := putBack(placeholder, doc.Originals); ok || ask == nil {
			return text, ok
		}
		return ask(placeholder)
	}
	after, err = FromMarkdown(markdown, opt)
	if err != nil {
		return "", nil, err
	}
	return after, Loss(before, after), nil
}

// counter is the part of a placeholder that says only where it stood.
var counter = regexp.MustCompile(`#\d+`)

// putBack finds what a placeholder stands for: by its name, or by all of it but its number, which moves when something is
// inserted before it.
func putBack(placeholder string, originals map[string]string) (string, bool) {
	if found, ok := originals[placeholder]; ok {
		return found, true
	}
	var like []string
	bare := counter.ReplaceAllString(placeholder, "")
	for other, found := range originals {
		if counter.ReplaceAllString(other, "") == bare {
			like = append(like, found)
		}
	}
	if len(like) != 1 {
		return "", false
	}
	return like[0], true
}

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
