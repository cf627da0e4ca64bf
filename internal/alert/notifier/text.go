package notifier

import (
	"fmt"
	"strings"
	"time"

	"surefoot/internal/alert"
)

// subject is the message in one line.
func (m Message) subject() string {
	n := m.Notes[0]
	text := fmt.Sprintf("[%s] %s", word(n), n.Alert.Title)
	if k := len(m.Notes) - 1; k > 0 {
		text += fmt.Sprintf(" (and %d more)", k)
	}
	return text + " - " + m.Site
}

func word(n alert.Note) string {
	switch {
	case n.Alert.State == alert.Resolved:
		return "over"
	case n.Repeated:
		return "still " + string(n.Alert.Severity)
	}
	return string(n.Alert.Severity)
}

// text is the message for people.
func (m Message) text() string {
	var b strings.Builder
	for i, n := range m.Notes {
		if i > 0 {
			b.WriteString("\n--\n\n")
		}
		a := n.Alert
		fmt.Fprintf(&b, "%s: %s\n\n", word(n), a.Title)
		for _, line := range a.Evidence {
			b.WriteString("  " + line + "\n")
		}
		fmt.Fprintf(&b, "\nSince %s", a.Since.Format(time.RFC3339))
		if a.State == alert.Resolved {
			fmt.Fprintf(&b, ", over at %s", a.EndedAt.Format(time.RFC3339))
		}
		fmt.Fprintf(&b, ".\nIt means: %s.\nWhat to do: %s\n", a.Meaning, a.Fix)
		fmt.Fprintf(&b, "\n(%s)\n", a.Key)
	}
	fmt.Fprintf(&b, "\n-- \nsurefoot, node %s of site %s\n", m.Node, m.Site)
	return b.String()
}
