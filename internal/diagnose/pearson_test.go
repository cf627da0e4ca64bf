package diagnose

import "testing"

// The table is a permutation of the bytes, or the hash would favour some buckets.
func TestPearsonIsAPermutation(t *testing.T) {
	var seen [256]bool
	for _, b := range pearson {
		if seen[b] {
			t.Errorf("%d is there twice", b)
		}
		seen[b] = true
	}
}

// The vectors of F17.
func TestBucket(t *testing.T) {
	for _, c := range []struct {
		mac      []byte
		hw, with byte // of the hardware address; of 01 and the hardware address
	}{
		{[]byte{0x00, 0x50, 0x56, 0xab, 0xcd, 0xef}, 217, 124},
		{[]byte{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}, 156, 253},
		{[]byte{0x00, 0x15, 0x5d, 0x01, 0x02, 0x03}, 210, 94},
		{[]byte{0xb8, 0x27, 0xeb, 0x0f, 0x69, 0x01}, 133, 9},
	} {
		if got := Bucket(c.mac); got != c.hw {
			t.Errorf("bucket of % x is %d, want %d", c.mac, got, c.hw)
		}
		if got := Bucket(append([]byte{1}, c.mac...)); got != c.with {
			t.Errorf("bucket of 01 % x is %d, want %d", c.mac, got, c.with)
		}
	}
}
