package boot

import "testing"

func TestMediaOf(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	want := Media{ID: id, Version: "1.2.3-rc1+dirty"}
	for _, text := range []string{
		"Surefoot-BDM id=" + id + " v=1.2.3-rc1+dirty", "Surefoot-BDM/1.2.3-rc1+dirty (" + id + ")", id + "/1.2.3-rc1+dirty",
	} {
		if got := MediaOf(text); got == nil || *got != want {
			t.Errorf("%q: got %+v", text, got)
		}
	}
	for _, text := range []string{
		"", "iPXE", "Surefoot-BDM", "Surefoot-BDM id=" + id[1:] + " v=1", "Surefoot-BDM id=" + id + " v=a\x1b[2J", "UefiHttpBoot/1.0",
		"Surefoot-BDM/1 (" + id + "0)", id + "/" + id + id + "x", "0123456789ABCDEF0123456789abcdef/1", "http://10.0.0.1/" + id,
	} {
		if got := MediaOf(text); got != nil {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}
