package storage

import (
	"strings"
	"unicode/utf8"
)

// Parse reads a fragment. The error is an [Error].
func Parse(source string) (*Document, error) {
	if len(source) > MaxSize {
		return nil, &Error{MaxSize, "it is larger than 8 MiB"}
	}
	d := &Document{Source: source}
	d.slab = make([]Node, 0, min(8+len(source)/32, 4096))
	d.Root = d.node(nil)
	d.Root.Kind, d.Root.End, d.Root.InnerEnd = Root, len(source), len(source)
	p := parser{doc: d, src: source, open: d.Root}
	if err := p.run(); err != nil {
		return nil, err
	}
	return d, nil
}

// Check reports whether source is well-formed, as an [Error] if not.
func Check(source string) error {
	_, err := Parse(source)
	return err
}

// parser walks the source once, from left to right.
type parser struct {
	doc   *Document
	src   string
	pos   int
	open  *Node // the innermost element that is still open
	depth int
}

func (p *parser) fail(at int, reason string) error { return &Error{at, reason} }

// run reads to the end.
func (p *parser) run() error {
	for p.pos < len(p.src) {
		var err error
		if p.src[p.pos] != '<' {
			err = p.text()
		} else {
			err = p.markup()
		}
		if err != nil {
			return err
		}
	}
	if p.open != p.doc.Root {
		return p.fail(p.open.Start, "<"+clip(p.open.Name)+"> is never closed")
	}
	return nil
}

// text reads up to the next <.
func (p *parser) text() error {
	start := p.pos
	end := len(p.src)
	if i := strings.IndexByte(p.src[start:], '<'); i >= 0 {
		end = start + i
	}
	raw := p.src[start:end]
	if i := strings.Index(raw, "]]>"); i >= 0 {
		return p.fail(start+i, "]]> outside a CDATA section")
	}
	if err := p.characters(start, end, true); err != nil {
		return err
	}
	n := p.doc.node(p.open)
	n.Kind, n.Start, n.End, n.InnerStart, n.InnerEnd = Text, start, end, start, end
	p.pos = end
	return nil
}

// markup reads what begins with <.
func (p *parser) markup() error {
	rest := p.src[p.pos:]
	switch {
	case strings.HasPrefix(rest, "</"):
		return p.closeTag()
	case strings.HasPrefix(rest, "<![CDATA["):
		return p.section(CData, "<![CDATA[", "]]>")
	case strings.HasPrefix(rest, "<!--"):
		return p.section(Comment, "<!--", "-->")
	case strings.HasPrefix(rest, "<!"), strings.HasPrefix(rest, "<?"):
		return p.fail(p.pos, "declarations and processing instructions are not allowed")
	}
	return p.openTag()
}

// section reads CDATA and comments: open mark, anything, close mark.
func (p *parser) section(kind Kind, opens, closes string) error {
	start := p.pos
	inner := start + len(opens)
	i := strings.Index(p.src[inner:], closes)
	if i < 0 {
		return p.fail(start, opens+" is never closed")
	}
	end := inner + i
	if kind == Comment && (strings.Contains(p.src[inner:end], "--") || strings.HasSuffix(p.src[inner:end], "-")) {
		return p.fail(start, "-- inside a comment")
	}
	if err := p.characters(inner, end, false); err != nil {
		return err
	}
	n := p.doc.node(p.open)
	n.Kind, n.Start, n.End, n.InnerStart, n.InnerEnd = kind, start, end+len(closes), inner, end
	p.pos = n.End
	return nil
}

// closeTag reads </name> and leaves the element it closes.
func (p *parser) closeTag() error {
	start := p.pos
	p.pos += 2
	name, err := p.name()
	if err != nil {
		return err
	}
	p.space()
	if p.pos >= len(p.src) || p.src[p.pos] != '>' {
		return p.fail(p.pos, "expected > after </"+clip(name))
	}
	p.pos++
	if p.open.Kind == Root {
		return p.fail(start, "</"+clip(name)+"> closes nothing")
	}
	if p.open.Name != name {
		return p.fail(start, "</"+clip(name)+"> closes <"+clip(p.open.Name)+">")
	}
	p.open.InnerEnd, p.open.End = start, p.pos
	p.open = p.open.Parent
	p.depth--
	return nil
}

// openTag reads <name …> and enters the element, or <name …/>.
func (p *parser) openTag() error {
	start := p.pos
	p.pos++
	name, err := p.name()
	if err != nil {
		return err
	}
	attrs, err := p.attributes()
	if err != nil {
		return err
	}
	n := p.doc.node(p.open)
	n.Kind, n.Name, n.Start, n.attrs = Element, name, start, attrs
	if p.src[p.pos] == '/' {
		if p.pos+1 >= len(p.src) || p.src[p.pos+1] != '>' {
			return p.fail(p.pos, "expected > after /")
		}
		p.pos += 2
		n.InnerStart, n.InnerEnd, n.End = p.pos, p.pos, p.pos
		return nil
	}
	p.pos++
	if p.depth++; p.depth > MaxDepth {
		return p.fail(start, "more than 256 elements inside each other")
	}
	n.InnerStart = p.pos
	p.open = n
	return nil
}

// attributes reads up to the / or > that ends the tag, which it leaves.
func (p *parser) attributes() ([]Attr, error) {
	first := len(p.doc.attrs)
	for {
		spaced := p.space()
		if p.pos >= len(p.src) {
			return nil, p.fail(p.pos, "a tag is never closed")
		}
		if c := p.src[p.pos]; c == '>' || c == '/' {
			break
		}
		if !spaced {
			return nil, p.fail(p.pos, "expected a space before an attribute")
		}
		at := p.pos
		attr, err := p.attribute()
		if err != nil {
			return nil, err
		}
		for _, other := range p.doc.attrs[first:] {
			if other.Name == attr.Name {
				return nil, p.fail(at, "attribute "+clip(attr.Name)+" stands twice")
			}
		}
		if len(p.doc.attrs)-first >= maxAttributes {
			return nil, p.fail(at, "too many attributes on one element")
		}
		if len(p.doc.attrs) == cap(p.doc.attrs) {
			// A new slab: earlier elements keep the old one.
			slab := make([]Attr, 0, max(2*maxAttributes, min(2*cap(p.doc.attrs), 4096)))
			p.doc.attrs, first = append(slab, p.doc.attrs[first:]...), 0
		}
		p.doc.attrs = append(p.doc.attrs, attr)
	}
	end := len(p.doc.attrs)
	return p.doc.attrs[first:end:end], nil
}

// attribute reads name="value".
func (p *parser) attribute() (Attr, error) {
	name, err := p.name()
	if err != nil {
		return Attr{}, err
	}
	p.space()
	if p.pos >= len(p.src) || p.src[p.pos] != '=' {
		return Attr{}, p.fail(p.pos, "attribute "+clip(name)+" has no value")
	}
	p.pos++
	p.space()
	if p.pos >= len(p.src) || p.src[p.pos] != '"' && p.src[p.pos] != '\'' {
		return Attr{}, p.fail(p.pos, "the value of "+clip(name)+" is not quoted")
	}
	quote := p.src[p.pos]
	p.pos++
	start := p.pos
	i := strings.IndexByte(p.src[start:], quote)
	if i < 0 {
		return Attr{}, p.fail(start-1, "the value of "+clip(name)+" is never closed")
	}
	end := start + i
	if i := strings.IndexByte(p.src[start:end], '<'); i >= 0 {
		return Attr{}, p.fail(start+i, "< inside an attribute")
	}
	if err := p.characters(start, end, true); err != nil {
		return Attr{}, err
	}
	p.pos = end + 1
	return Attr{name, p.src[start:end]}, nil
}

// name reads a name with at most one prefix. Confluence has none beyond ASCII.
func (p *parser) name() (string, error) {
	start, colon := p.pos, -1
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_':
			p.pos++
			continue
		case c == ':' && colon < 0 && p.pos > start:
			colon = p.pos
			p.pos++
			continue
		case (c == '-' || c == '.' || '0' <= c && c <= '9') && p.pos > start && p.pos != colon+1:
			p.pos++
			continue
		}
		break
	}
	if p.pos == start {
		return "", p.fail(start, "expected a name")
	}
	if colon == p.pos-1 {
		return "", p.fail(start, "a name ends with a colon")
	}
	return p.src[start:p.pos], nil
}

// space skips white space and reports whether there was any.
func (p *parser) space() bool {
	start := p.pos
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
			continue
		}
		break
	}
	return p.pos > start
}

// characters checks that what stands between start and end may stand in XML, and that references (where they mean
// something) name a character.
func (p *parser) characters(start, end int, references bool) error {
	src := p.src
	for i := start; i < end; {
		c := src[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '&' || c == '\n' || c == '\t' || c == '\r' {
			i++
			continue
		}
		if c == '&' {
			size := 1
			if references {
				if _, size = reference(src[i:end]); size == 0 {
					return p.fail(i, "& does not begin a known entity")
				}
			}
			i += size
			continue
		}
		r, size := utf8.DecodeRuneInString(src[i:end])
		if r == utf8.RuneError && size <= 1 {
			return p.fail(i, "not UTF-8")
		}
		if !allowed(r) {
			return p.fail(i, "a control character")
		}
		i += size
	}
	return nil
}

// clip keeps names short in errors.
func clip(name string) string {
	if len(name) > 60 {
		return strings.ToValidUTF8(name[:60], "") + "…"
	}
	return name
}
