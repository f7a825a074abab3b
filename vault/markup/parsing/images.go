package parsing

import (
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// Images tells where the images of a text begin, at the "!", in their order: what looks like one in code is none.
func Images(markdown string) []int {
	source := []byte(markdown)
	var found []int
	visit := func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if _, image := n.(*ast.Image); image && entering {
			found = append(found, n.Pos())
		}
		return ast.WalkContinue, nil
	}
	_ = ast.Walk(markdownParser(newBudget(len(source))).Parse(text.NewReader(source)), visit) // visit has no errors
	return found
}
