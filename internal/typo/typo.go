// Package typo measures how far two names are apart, so that a message about
// a wrong name can say which one may have been meant. Settings of both halves
// and the arguments of tools use it.
package typo

// Distance is how many letters (bytes) must be changed, added or taken out to
// make b of a: the Levenshtein distance. It takes time in proportion to the
// product of the lengths, so callers bound what strangers send.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
