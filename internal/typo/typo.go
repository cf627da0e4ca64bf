// Package typo measures how far one word is from another, for "did you mean": the number of slips
// of a finger between them. Which words are offered, and how far they may be, is for whoever asks.
package typo

// Distance is the number of letters to change, insert, remove or exchange with their neighbour to
// make one word of another (restricted Damerau-Levenshtein), or limit+1 if it is more than limit:
// words that are far apart cost little. Letters are bytes. The work grows with the product of the
// lengths, so whoever asks bounds those.
func Distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
			least = min(least, cur[j])
		}
		if least > limit {
			return limit + 1
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return min(prev[len(b)], limit+1)
}
