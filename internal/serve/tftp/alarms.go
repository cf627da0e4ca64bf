package tftp

import "time"

// alarms are the deadlines of a loop's transfers, the earliest first: a binary heap in which
// every transfer knows its place. A time.Timer for each transfer would cost a call into the
// runtime for each packet; here most packets cost nothing, see set.
type alarms []*transfer

// none is the place of a transfer without an alarm.
const none = -1

// set wakes a transfer at due or before. Nearly every packet moves its deadline away: then the
// alarm stays where it is and comes too early once, which the machine answers with its real one.
func (a *alarms) set(t *transfer, due time.Time) {
	switch {
	case t.alarm == none:
		t.due, t.alarm = due, len(*a)
		*a = append(*a, t)
	case due.Before(t.due):
		t.due = due
	default:
		return
	}
	a.up(t.alarm)
}

// clear takes a transfer out.
func (a *alarms) clear(t *transfer) {
	i, last := t.alarm, len(*a)-1
	if i == none {
		return
	}
	a.swap(i, last)
	(*a)[last] = nil
	*a = (*a)[:last]
	t.alarm = none
	if i < last {
		a.down(i)
		a.up(i)
	}
}

// next returns the earliest deadline.
func (a alarms) next() (time.Time, bool) {
	if len(a) == 0 {
		return time.Time{}, false
	}
	return a[0].due, true
}

// ring takes out a transfer whose alarm is due, or returns nil.
func (a *alarms) ring(now time.Time) *transfer {
	if len(*a) == 0 || now.Before((*a)[0].due) {
		return nil
	}
	t := (*a)[0]
	a.clear(t)
	return t
}

func (a alarms) swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].alarm, a[j].alarm = i, j
}

func (a alarms) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !a[i].due.Before(a[parent].due) {
			return
		}
		a.swap(i, parent)
		i = parent
	}
}

func (a alarms) down(i int) {
	for {
		first := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(a); child++ {
			if a[child].due.Before(a[first].due) {
				first = child
			}
		}
		if first == i {
			return
		}
		a.swap(i, first)
		i = first
	}
}
