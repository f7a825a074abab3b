package view

import "time"

// Health is how a vault is.
type Health struct {
	Ready   bool      `json:"ready"`
	Checks  []Check   `json:"checks"`
	Version string    `json:"version,omitempty"`
	Started time.Time `json:"started"`
	Schema  int       `json:"schema"` // version of the store's
	Store   string    `json:"store"`  // sqlite or postgres
}

// Check is one thing that must work.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // what is wrong and what to do
}

// Problem is an error answer (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`         // what happened
	Hint   string `json:"hint,omitempty"` // what to do
	Code   string `json:"code"`
	// Reference is under which the vault's log has more.
	Reference string `json:"reference,omitempty"`
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // cursor of the next page
}
