package main

import (
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// verify checks with a key that was written down: verify key.txt checkpoints
func verify(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: verify key-file checkpoints")
	}
	key := strings.TrimSpace(ts.ReadFile(args[0]))
	ts.Check(ts.Exec("coatcheck-vault", "audit", "verify", "--checkpoints", args[1], "--key", key))
}

// half appends half of a file to it, as a crash would leave it.
func half(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: half file")
	}
	text := ts.ReadFile(args[0])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text+"\n"+text[:len(text)/2]), 0o600))
}
