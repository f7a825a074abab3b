package storage_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

func parse(t *testing.T, source string) *storage.Document {
	t.Helper()
	doc, err := storage.Parse(source)
	if err != nil {
		t.Fatalf("Parse(%.80q): %v", source, err)
	}
	return doc
}

// outline writes a tree down: name{children}, 'text', [cdata].
func outline(n *storage.Node) string {
	var out strings.Builder
	for c := n.First; c != nil; c = c.Next {
		switch c.Kind {
		case storage.Text:
			out.WriteString("'" + c.Value() + "'")
		case storage.CData:
			out.WriteString("[" + c.Value() + "]")
		case storage.Comment:
			out.WriteString("!")
		default:
			out.WriteString(c.Name + "{" + outline(c) + "}")
		}
	}
	return out.String()
}

func TestParse(t *testing.T) {
	for source, want := range map[string]string{
		"":                                  "",
		"a &amp; b":                         "'a & b'",
		"<p>a<br/>b</p>":                    "p{'a'br{}'b'}",
		"<p >a</p >":                        "p{'a'}",
		"<ac:link><ri:page/>x</ac:link>y":   "ac:link{ri:page{}'x'}'y'",
		"<x><![CDATA[a <b> ]] &amp;]]></x>": "x{[a <b> ]] &amp;]}",
		"<![CDATA[a]]]]><![CDATA[>b]]>":     "[a]]][>b]",
		"a<!-- c -->b":                      "'a'!'b'",
		"&eacute;&#233;&#xe9;&hellip;":      "'ééé…'",
		"a\r\nb\rc":                         "'a\nb\nc'",
	} {
		if got := outline(parse(t, source).Root); got != want {
			t.Errorf("Parse(%q) is %s, want %s", source, got, want)
		}
	}
}

func TestMalformed(t *testing.T) {
	for source, reason := range map[string]string{
		"<p>":                      "never closed",
		"</p>":                     "closes nothing",
		"<p></b>":                  "closes <p>",
		"<p><b></p></b>":           "closes <b>",
		"a & b":                    "known entity",
		"&nosuch;":                 "known entity",
		"&#0;":                     "known entity",
		"&#xd800;":                 "known entity",
		"a ]]> b":                  "]]> outside",
		"<p a=b/>":                 "not quoted",
		"<p a/>":                   "no value",
		`<p a="1"b="2"/>`:          "a space",
		`<p a="1" a="2"/>`:         "twice",
		`<p a="<"/>`:               "< inside",
		`<p a="x`:                  "never closed",
		"<":                        "a name",
		"<1/>":                     "a name",
		"<a:/>":                    "colon",
		"<a:b:c/>":                 "",
		"<!DOCTYPE html>":          "declarations",
		"<!ENTITY x \"y\">":        "declarations",
		"a<?xml version=\"1.0\"?>": "instructions",
		"<!-- a -- b -->":          "-- inside",
		"<![CDATA[ a":              "never closed",
		"a\x00":                    "control",
		"a\xff":                    "UTF-8",
		"<p>\x0b</p>":              "control",
		strings.Repeat("<a>", 300): "256 elements",
		"<ä/>":                     "a name",
		"<p/ >":                    "expected >",
	} {
		_, err := storage.Parse(source)
		e, ok := errors.AsType[*storage.Error](err)
		if !ok || !strings.Contains(e.Error(), reason) || e.Offset < 0 || e.Offset > len(source) {
			t.Errorf("Parse(%.40q): %v, want %q", source, err, reason)
		}
	}
}

func TestRangesAndAttributes(t *testing.T) {
	doc := parse(t, `<p>x</p><ac:image ac:alt='a &quot;b&quot;&#10;c' ac:width="3">`+"\n"+`<ri:url ri:value="u"/></ac:image>`)
	image := doc.Root.Child("ac:image")
	if got := image.Attr("ac:alt"); got != "a \"b\"\nc" {
		t.Errorf("ac:alt is %q", got)
	}
	if image.Attr("ac:none") != "" || len(image.Attrs()) != 2 || image.Child("p") != nil {
		t.Error("there is what is not")
	}
	if got := image.Child("ri:url").Raw(); got != `<ri:url ri:value="u"/>` {
		t.Errorf("Raw is %q", got)
	}
	if got := doc.Root.First.Inner(); got != "x" {
		t.Errorf("Inner is %q", got)
	}
	if got := parse(t, "<x>a<b>b</b><![CDATA[c]]]]><![CDATA[>d]]></x>").Root.Content(); got != "abc]]>d" {
		t.Errorf("Content is %q", got)
	}
}

// TestManyAttributes makes sure that elements keep their attributes when room for more is made.
func TestManyAttributes(t *testing.T) {
	doc := parse(t, strings.Repeat(`<a x="1" y="2"/>`, 10_000))
	for n := doc.Root.First; n != nil; n = n.Next {
		if n.Attr("x") != "1" || n.Attr("y") != "2" || len(n.Attrs()) != 2 {
			t.Fatalf("at %d: %v", n.Start, n.Attrs())
		}
	}
}

func TestEscape(t *testing.T) {
	const text = `a <b> & "c" 'd'`
	want := "a &lt;b&gt; &amp; &quot;c&quot; 'd'"
	if diff := cmp.Diff(want, storage.Escape(text)); diff != "" {
		t.Error(diff)
	}
	if got := storage.Decode(want); got != text {
		t.Errorf("Decode(Escape) is %q", got)
	}
	if got := storage.Escape("plain"); got != "plain" {
		t.Error(got)
	}
	if got := storage.Valid("a\x00b\r\nc\xff"); got != "a\ufffdb\nc\ufffd" {
		t.Errorf("Valid is %q", got)
	}
}

// tiles checks that the ranges of children lie inside their parent, beside each other, without a gap.
func tiles(t *testing.T, n *storage.Node) {
	t.Helper()
	at := n.InnerStart
	for c := n.First; c != nil; c = c.Next {
		if c.Start != at || c.End < c.InnerEnd || c.InnerStart < c.Start || c.Parent != n {
			t.Fatalf("%q begins at %d, want %d", c.Raw(), c.Start, at)
		}
		tiles(t, c)
		at = c.End
	}
	if n.First != nil && at != n.InnerEnd {
		t.Fatalf("children of %.40q end at %d, want %d", n.Raw(), at, n.InnerEnd)
	}
}

// FuzzParse compares with encoding/xml: it reads whatever we read, and finds the same text.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"<p>a</p>", "<a b=\"c\"/>", "&amp;&#x41;", "<![CDATA[x]]>", "<!--c-->", "<ac:x ac:y='&lt;'><ri:z/></ac:x>", "a\r\nb", "&nbsp;", "]]&gt;",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		doc, err := storage.Parse(source)
		if err != nil {
			return
		}
		tiles(t, doc.Root)
		d := xml.NewDecoder(strings.NewReader("<root>" + source + "</root>"))
		d.Entity = xml.HTMLEntity
		var text strings.Builder
		for {
			token, err := d.RawToken()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				if strings.Contains(err.Error(), "entity") {
					return // HTML 5 has more names than encoding/xml knows
				}
				t.Fatalf("encoding/xml refuses %q: %v", source, err)
			}
			if chars, ok := token.(xml.CharData); ok {
				text.Write(chars)
			}
		}
		if got := doc.Root.Content(); got != text.String() {
			t.Fatalf("text of %q is %q, encoding/xml says %q", source, got, text.String())
		}
	})
}
