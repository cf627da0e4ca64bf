// Package storetest is the one suite of tests that every store has to pass: what goes in comes
// out, at whatever step, and what was acknowledged stays. It is for tests only.
package storetest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"surefoot/internal/store"
)

// Start is when the suite's time begins: it ends at most a day later.
func Start() time.Time { return time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC) }

// Run runs the suite. Open makes an empty store whose clock stands at now, and runs it until the
// test ends.
func Run(t *testing.T, open func(t *testing.T, now time.Time) store.Store) {
	t.Run("measurements", func(t *testing.T) { measurements(t, open(t, Start().Add(6*time.Minute))) })
	t.Run("steps", func(t *testing.T) { steps(t, open(t, Start().Add(24*time.Hour))) })
	t.Run("questions", func(t *testing.T) { questions(t, open(t, Start())) })
	t.Run("changes and alerts", func(t *testing.T) { changes(t, open(t, Start())) })
	t.Run("stories", func(t *testing.T) { stories(t, open(t, Start())) })
	t.Run("silences", func(t *testing.T) { silences(t, open(t, Start())) })
	t.Run("diagnosis", func(t *testing.T) { diagnosis(t, open(t, Start())) })
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(want, got) {
		t.Errorf("%s: got\n%+v\nwant\n%+v", what, got, want)
	}
}

// Run number i of a test: every tenth fails.
func measured(test string, i int, at time.Time) store.Measurement {
	m := store.Measurement{Test: test, Server: "pvs1", File: "a.0", At: at, Available: i%10 != 9, Bytes: 1000, Retransmits: i % 2}
	if m.Available {
		m.Response, m.FirstBlock = time.Duration(10+i%7)*time.Millisecond, time.Millisecond
	} else {
		m.Cause, m.Text, m.Bytes = "no-answer", "nobody answers", 0
	}
	return m
}

func measurements(t *testing.T, s store.Store) {
	var want store.Bucket
	for i := range 30 {
		m := measured("t1", i, Start().Add(time.Duration(i)*10*time.Second))
		s.Measure(m)
		want.Add(m)
		s.Measure(measured("t2", i, m.At))
	}
	ok(t, s.Sync(t.Context()))
	got, err := s.Series(t.Context(), store.Query{Name: "t1", Since: Start(), Until: Start().Add(time.Hour), Step: store.Five})
	ok(t, err)
	if len(got) != 1 || len(got[0].Buckets) != 1 || got[0].Test != "t1" || got[0].Server != "pvs1" || got[0].File != "a.0" {
		t.Fatalf("%+v", got)
	}
	b := got[0].Buckets[0]
	if b.Runs != 30 || b.Good != 27 || b.Sum != want.Sum || b.Min != want.Min || b.Max != want.Max || b.First != want.First || b.Bytes != 27000 || b.Retransmits != 15 || b.Cause != "no-answer" {
		t.Errorf("%+v, want %+v", b, want)
	}
	got, err = s.Series(t.Context(), store.Query{Since: Start(), Until: Start().Add(time.Hour), Step: time.Minute})
	ok(t, err)
	if len(got) != 2 || got[1].Test != "t2" || len(got[0].Buckets) != 5 || got[0].Buckets[0].Runs != 6 {
		t.Errorf("by the minute: %+v", got)
	}
	got, err = s.Series(t.Context(), store.Query{Name: "pvs1", Since: Start().Add(time.Minute), Until: Start().Add(2 * time.Minute), Step: 10 * time.Second})
	ok(t, err)
	if len(got) != 2 || len(got[0].Buckets) != 6 {
		t.Errorf("by the server's name, one minute: %+v", got)
	}
}

// steps: the same whole, however it is cut.
func steps(t *testing.T, s store.Store) {
	const n = 24 * 60
	var want store.Bucket
	for i := range n {
		m := measured("t1", i, Start().Add(time.Duration(i)*time.Minute))
		s.Measure(m)
		want.Add(m)
	}
	ok(t, s.Sync(t.Context()))
	for _, step := range []time.Duration{time.Minute, store.Five, 15 * time.Minute, store.Hour, 6 * store.Hour, 24 * store.Hour} {
		got, err := s.Series(t.Context(), store.Query{Name: "t1", Since: Start(), Until: Start().Add(24 * time.Hour), Step: step})
		ok(t, err)
		if len(got) != 1 || len(got[0].Buckets) != int(24*time.Hour/step) {
			t.Fatalf("step %s: %d series", step, len(got))
		}
		var b store.Bucket
		for i := range got[0].Buckets {
			if at := Start().Add(time.Duration(i) * step); !got[0].Buckets[i].Start.Equal(at) || got[0].Buckets[i].Step != step {
				t.Fatalf("step %s: bucket %d begins at %s and is %s long", step, i, got[0].Buckets[i].Start, got[0].Buckets[i].Step)
			}
			b.Merge(&got[0].Buckets[i])
		}
		if b.Runs != want.Runs || b.Good != want.Good || b.Sum != want.Sum || b.Min != want.Min || b.Max != want.Max || b.Bytes != want.Bytes || b.Retransmits != want.Retransmits {
			t.Errorf("step %s: %+v, want %+v", step, b, want)
		}
		if got, _ := b.Quantile(.5); got.Round(time.Millisecond) != 13*time.Millisecond {
			t.Errorf("step %s: the median is %s", step, got)
		}
	}
}

func questions(t *testing.T, s store.Store) {
	got, err := s.Series(t.Context(), store.Query{Name: "nobody", Since: Start(), Until: Start().Add(time.Hour), Step: time.Minute})
	if err != nil || len(got) != 0 {
		t.Errorf("of a test that never was: %v, %v", got, err)
	}
	for name, q := range map[string]store.Query{
		"backwards":     {Since: Start(), Until: Start().Add(-time.Second), Step: time.Minute},
		"no step":       {Since: Start(), Until: Start().Add(time.Hour)},
		"too many":      {Since: Start(), Until: Start().AddDate(5, 0, 0), Step: time.Minute},
		"begins = ends": {Since: Start(), Until: Start(), Step: time.Minute},
	} {
		if _, err := s.Series(t.Context(), q); err == nil {
			t.Errorf("%s: answered", name)
		}
	}
}

func changes(t *testing.T, s store.Store) {
	var want []store.Change
	for i := range 5 {
		want = append(want, store.Change{
			Test: "t1", Server: fmt.Sprintf("pvs%d", i%2), File: "a.0", At: Start().Add(time.Duration(i) * time.Second),
			From: "up", To: "down", Cause: "no-answer", Text: "nobody answers",
		})
		s.Change(want[i])
	}
	a := store.AlertEvent{At: Start(), Key: "server-down server=pvs1", Code: "server-down", State: "firing", Severity: "critical", Title: "pvs1 is down", Body: json.RawMessage(`{"a":1}`)}
	s.Alert(a)
	ok(t, s.Sync(t.Context()))
	all := store.Query{Since: Start(), Until: Start().Add(time.Hour)}
	got, err := s.Changes(t.Context(), all)
	ok(t, err)
	equal(t, "all changes", got, want)
	got, err = s.Changes(t.Context(), store.Query{Name: "pvs1", Since: Start().Add(2 * time.Second), Until: Start().Add(time.Hour)})
	ok(t, err)
	equal(t, "changes of pvs1", got, want[3:4])
	got, err = s.Changes(t.Context(), store.Query{Since: Start(), Until: Start().Add(time.Hour), Limit: 2})
	ok(t, err)
	equal(t, "the last two", got, want[3:])
	alerts, err := s.Alerts(t.Context(), all)
	ok(t, err)
	equal(t, "alerts", alerts, []store.AlertEvent{a})
}

func stories(t *testing.T, s store.Store) {
	story := func(i int) store.Story {
		return store.Story{
			ID: fmt.Sprintf("s%d", i), Machine: fmt.Sprintf("52:54:00:12:34:%02x", i%2), Name: "pc", IP: fmt.Sprintf("10.0.0.%d", i), State: "done",
			Started: Start().Add(time.Duration(i) * time.Second), Updated: Start().Add(time.Duration(i+1) * time.Second), Body: json.RawMessage(fmt.Sprintf(`{"id":"s%d"}`, i)),
		}
	}
	for i := range 4 {
		s.Story(story(i))
	}
	again := story(0)
	again.State, again.Updated, again.Body = "stuck", Start().Add(time.Minute), json.RawMessage(`{"more":true}`)
	s.Story(again)
	ok(t, s.Sync(t.Context()))
	q := store.StoryQuery{Since: Start(), Until: Start().Add(time.Hour)}
	got, err := s.Stories(t.Context(), q)
	ok(t, err)
	equal(t, "the newest first, one that came again in its last form", got, []store.Story{again, story(3), story(2), story(1)})
	for name, c := range map[string]struct {
		machine string
		want    []store.Story
	}{
		"mac": {"52:54:00:12:34:01", []store.Story{story(3), story(1)}}, "its end": {"34:01", []store.Story{story(3), story(1)}},
		"address": {"10.0.0.2", []store.Story{story(2)}}, "nobody": {"10.0.0.9", nil},
	} {
		q.Machine = c.machine
		got, err := s.Stories(t.Context(), q)
		ok(t, err)
		equal(t, name, got, c.want)
	}
	got, err = s.Stories(t.Context(), store.StoryQuery{Since: Start(), Until: Start().Add(time.Hour), Limit: 1})
	ok(t, err)
	equal(t, "one", got, []store.Story{again})
}

func silences(t *testing.T, s store.Store) {
	a := store.Silence{ID: "x1", Match: map[string]string{"server": "pvs*"}, Since: Start(), Until: Start().Add(time.Hour), Comment: "move", Who: "anna"}
	b := store.Silence{ID: "x2", Match: map[string]string{"code": "slow"}, Since: Start(), Until: Start().Add(2 * time.Hour)}
	ok(t, s.SaveSilence(t.Context(), b))
	ok(t, s.SaveSilence(t.Context(), store.Silence{ID: "x1", Since: Start(), Until: Start().Add(time.Hour)}))
	ok(t, s.SaveSilence(t.Context(), a))
	got, err := s.LoadSilences(t.Context())
	ok(t, err)
	equal(t, "silences", got, []store.Silence{a, b})
	ok(t, s.RemoveSilence(t.Context(), "x1"))
	ok(t, s.RemoveSilence(t.Context(), "nobody"))
	got, err = s.LoadSilences(t.Context())
	ok(t, err)
	equal(t, "after one was removed", got, []store.Silence{b})
}

func diagnosis(t *testing.T, s store.Store) {
	m := measured("t1", 9, Start())
	m.Diagnosis = json.RawMessage(`{"trace":["rrq"]}`)
	s.Measure(m)
	m.At, m.Diagnosis = m.At.Add(time.Second), json.RawMessage(`{"trace":["rrq","error"]}`)
	s.Measure(m)
	ok(t, s.Sync(t.Context()))
	q := store.Query{Name: "t1", Since: Start(), Until: Start().Add(time.Hour)}
	got, err := s.Diagnosis(t.Context(), q)
	ok(t, err)
	equal(t, "the last one", string(got), `{"trace":["rrq","error"]}`)
	q.Name = "t2"
	if got, err := s.Diagnosis(t.Context(), q); got != nil || err != nil {
		t.Errorf("of another test %s, %v", got, err)
	}
}
