// Package address makes readable addresses of what links and images in a page lead to: confluence-page:SPACE/Title#anchor,
// confluence-attachment:name, confluence-user:account. vault/markup/writing reads them back.
package address

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// Target makes a readable address of what the first resource in an element is, and the text to show for it. names tells the
// display name of an account; nil or "" means that it is unknown.
func Target(n *storage.Node, anchor string, names func(account string) string) (address, text string) {
	for child := n.First; child != nil; child = child.Next {
		if child.Kind != storage.Element {
			continue
		}
		if address, text = Of(child, names); address != "" {
			break
		}
	}
	if anchor != "" {
		if text == "" {
			text = anchor
		}
		address += "#" + escapePart(anchor, "")
	}
	return address, text
}

// Of makes an address of a resource, an element with the prefix ri; "" if it is none.
func Of(n *storage.Node, names func(account string) string) (address, text string) {
	switch n.Name {
	case "ri:page":
		title := n.Attr("ri:content-title")
		return "confluence-page:" + place(n.Attr("ri:space-key"), title), title
	case "ri:blog-post":
		title := n.Attr("ri:content-title")
		address = "confluence-blog:"
		if space := n.Attr("ri:space-key"); space != "" {
			address += escapePart(space, "/") + "/"
		}
		if day := n.Attr("ri:posting-day"); strings.Count(day, "/") == 2 && strings.Trim(day, "0123456789/") == "" {
			address += day + "/"
		}
		return address + escapePart(title, "/"), title
	case "ri:attachment":
		name := n.Attr("ri:filename")
		address = "confluence-attachment:" + escapePart(name, "")
		if page := n.Child("ri:page"); page != nil {
			address += "?page=" + place(page.Attr("ri:space-key"), page.Attr("ri:content-title"))
		}
		return address, name
	case "ri:space":
		key := n.Attr("ri:space-key")
		return "confluence-space:" + escapePart(key, ""), key
	case "ri:content-entity":
		id := n.Attr("ri:content-id")
		return "confluence-content:" + escapePart(id, ""), id
	case "ri:url":
		return n.Attr("ri:value"), n.Attr("ri:value")
	case "ri:user":
		return user(n, names)
	}
	return "", ""
}

// user reads a mention: by account in the cloud, by key or name in a data center.
func user(n *storage.Node, names func(account string) string) (address, text string) {
	id, prefix := n.Attr("ri:account-id"), "confluence-user:"
	if id == "" {
		id, prefix = n.Attr("ri:userkey"), "confluence-userkey:"
	}
	if id == "" {
		id, prefix = n.Attr("ri:username"), "confluence-username:"
	}
	text = "@user"
	if names != nil {
		if name := names(id); name != "" {
			text = "@" + name
		}
	}
	return prefix + escapePart(id, ""), text
}

// place is SPACE/Title, or Title where the space is the page's own.
func place(space, title string) string {
	if space == "" {
		return escapePart(title, "/")
	}
	return escapePart(space, "/") + "/" + escapePart(title, "")
}

// escapePart percent-encodes what would be read as part of the address' structure.
func escapePart(text, also string) string {
	if !strings.ContainsAny(text, "%#?<>\\\n\t"+also) {
		return text
	}
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		if strings.IndexByte("%#?<>\\", c) >= 0 || c < ' ' || strings.IndexByte(also, c) >= 0 {
			out.WriteByte('%')
			out.WriteByte(hex[c>>4])
			out.WriteByte(hex[c&15])
			continue
		}
		out.WriteByte(c)
	}
	return out.String()
}
