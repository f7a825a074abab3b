// Package failpoint names the moments at which a crash would hurt most. In what
// is built from this tree a point is nothing: tests build the vault with another
// file in place of this one, in which a point ends the process as kill -9 does.
package failpoint

// Point is such a moment.
type Point string

// The points, in the order in which a call may come by.
const (
	RefreshClaimed  Point = "refresh claimed"  // the intent is stored, the refresh token not sent
	RefreshAnswered Point = "refresh answered" // the token is rotated, the new pair not stored
	RefreshStored   Point = "refresh stored"   // … but nobody told
	WriteNoted      Point = "write noted"      // in the journal, nothing sent
	WriteMade       Point = "write made"       // at Confluence, its result not in the journal
	WriteFinished   Point = "write finished"   // its result is about to be in the journal, or is; no audit record
	CallDone        Point = "call done"        // the answer is there, no audit record
	CallRecorded    Point = "call recorded"    // the record is stored, nothing answered
)

// Reach marks that p is reached. It may be called from many goroutines.
func Reach(Point) {}
