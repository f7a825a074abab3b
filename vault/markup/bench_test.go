package markup_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
)

// realisticSection is a part of a page as teams write them: mostly words, with a list, a table, code and a panel among
// them.
const realisticSection = `<h2>Rollout of the gateway</h2><p>The gateway takes <strong>all traffic</strong> of the site and hands it to the services behind it. It keeps no state; ` +
	`what it knows comes from <ac:link><ri:page ri:space-key="OPS" ri:content-title="Service catalogue"/><ac:link-body>the catalogue</ac:link-body></ac:link>, which is read every 30&nbsp;seconds. ` +
	`See <a href="https://example.org/runbooks/gateway?view=full">the runbook</a> for what to do when <code>gatewayctl status</code> says <em>degraded</em>.</p>` +
	`<ul><li><p>Canary in one zone, then <u>wait an hour</u></p></li><li><p>Two zones at half weight</p><ul><li><p>watch the error rate</p></li><li><p>watch p99</p></li></ul></li><li><p>All zones</p></li></ul>` +
	`<table data-layout="wide"><colgroup><col/><col/><col/></colgroup><tbody><tr><th><p>Host</p></th><th><p>Owner</p></th><th><p>State</p></th></tr>` +
	`<tr><td><p>gw-1</p></td><td><p><ac:link><ri:user ri:account-id="557058:aaaa"/></ac:link></p></td><td><p><ac:structured-macro ac:name="status" ac:schema-version="1" ac:macro-id="a"><ac:parameter ac:name="title">LIVE</ac:parameter><ac:parameter ac:name="colour">Green</ac:parameter></ac:structured-macro></p></td></tr>` +
	`<tr><td><p>gw-2</p></td><td><p>Platform</p></td><td><p>drained since <time datetime="2026-11-02"/></p></td></tr></tbody></table>` +
	`<ac:structured-macro ac:name="code" ac:schema-version="1"><ac:parameter ac:name="language">go</ac:parameter><ac:plain-text-body><![CDATA[func drain(ctx context.Context, host string) error {
	if err := lb.SetWeight(ctx, host, 0); err != nil {
		return fmt.Errorf("draining %s: %w", host, err)
	}
	return wait(ctx, host, 30*time.Second)
}]]></ac:plain-text-body></ac:structured-macro>` +
	`<ac:structured-macro ac:name="warning" ac:schema-version="1"><ac:rich-text-body><p>Draining the last host of a zone takes the zone down.</p></ac:rich-text-body></ac:structured-macro>` +
	`<p>After the change, compare the figures with those of the week before. If they differ by more than 5 % in either direction, go back to the former version at once and write down what you saw, with the time and the host, so that others can follow it later.</p>`

// realistic is a page of about 1 MB.
func realistic() string {
	return strings.Repeat(realisticSection, 1<<20/len(realisticSection)+1)
}

func BenchmarkToMarkdown(b *testing.B) {
	body := realistic()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := markup.ToMarkdown(body, markup.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFromMarkdown(b *testing.B) {
	read, err := markup.ToMarkdown(realistic(), markup.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(read.Markdown)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := markup.FromMarkdown(read.Markdown, markup.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncodingXML only reads the tokens of the same page with the standard library: the floor for whatever builds on
// it.
func BenchmarkEncodingXML(b *testing.B) {
	body := "<root>" + realistic() + "</root>"
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		d := xml.NewDecoder(strings.NewReader(body))
		d.Entity = xml.HTMLEntity
		for {
			if _, err := d.RawToken(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
