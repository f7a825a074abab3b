package page

// Walk calls visit for the text of each block, also of those inside others, in order.
func Walk(blocks []Block, visit func([]Span)) {
	for i := range blocks {
		b := &blocks[i]
		if len(b.Text) > 0 {
			visit(b.Text)
		}
		Walk(b.Kids, visit)
		if b.Table == nil {
			continue
		}
		for _, row := range b.Table.Rows {
			for _, c := range row.Cells {
				Walk(c.Kids, visit)
			}
		}
	}
}
