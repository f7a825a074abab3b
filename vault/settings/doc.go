// Package settings reads the vault's settings: vault.yaml, then the
// environment. It reports everything that is wrong at once, each problem with
// its place, and knows where each value came from. It fetches secrets that the
// settings refer to and never shows them.
//
// Values are read once, by [Load]; what it returns does not change.
package settings
