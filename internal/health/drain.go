package health

import "time"

// Drain is an administrator's word that a server is to get no new machines.
type Drain struct {
	Server string    `json:"server"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero: until it is resumed
	Reason string    `json:"reason,omitempty"`
}

// Active reports whether it holds at a time.
func (d Drain) Active(now time.Time) bool { return d.Until.IsZero() || now.Before(d.Until) }
