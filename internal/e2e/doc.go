// Package e2e runs the two real programs with real clients and, for pages, a
// real Chromium, against the simulated Atlassian. It holds tests only.
package e2e
