// Package archtest keeps the house rules true: who may import whom, which
// library has which door, how long things may get, and what must carry a
// comment. It holds tests only.
package archtest
