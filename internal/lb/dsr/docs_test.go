package dsr

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"surefoot/internal/kernel/bpf"
)

// Each reason stands in the document, with its words.
func TestReasonsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/dsr.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range bpf.Reasons() {
		if row := fmt.Sprintf("| `%s` | %s |", r, r.Text()); !strings.Contains(string(text), row) {
			t.Errorf("docs/dsr.md lacks the line\n%s", row)
		}
	}
}
