package probe

import "testing"

// A target is printed in plain ASCII, and means the same when it is read again.
func TestTargetString(t *testing.T) {
	for in, want := range map[string]string{
		"tftp://h/boot/x64/snponly.efi":      "tftp://h/boot/x64/snponly.efi",
		"tftp://h:69/f":                      "tftp://h/f",
		"tftp://h:1069/f;mode=octet":         "tftp://h:1069/f",
		"tftp://h/%1b[2J":                    "tftp://h/%1B[2J",
		"tftp://h/a%20b%25%3f%23%c3%a4":      "tftp://h/a%20b%25%3F%23%C3%A4",
		"tftp://h/f%3bmode=x;mode=octet":     "tftp://h/f",
		`tftp://h/boot\x64\f`:                `tftp://h/boot\x64\f`,
		"http://[2001:db8::1]:8067/f%1b?a=b": "http://[2001:db8::1]:8067/f%1b?a=b",
		"http://h%c2%9b/f":                   "http://h%C2%9B/f",
	} {
		got, err := ParseTarget(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got.String() != want {
			t.Errorf("%s is printed as %s, want %s", in, got, want)
		}
		if again, err := ParseTarget(got.String()); err != nil || again != got {
			t.Errorf("%s is read again as %+v, want %+v (%v)", got, again, got, err)
		}
	}
}
