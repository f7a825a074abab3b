// Package e2e runs the two real programs with real clients and, for pages, a
// real Chromium, against the simulated Atlassian. It holds tests only.
//
// COATCHECK_SOAK=1 runs the long tests at full size. COATCHECK_RACE_PROGRAMS=1
// builds both programs with the race detector. COATCHECK_SCREENSHOTS names a
// folder for pictures of the pages.
package e2e
