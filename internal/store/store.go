// Package store says what a node remembers of its own past: measurements, changes of state, alerts
// with their silences, and boot stories. It holds the values, the interfaces and the pure
// arithmetic of downsampling; package sqlite is the disk, package storetest the tests of any such.
//
// History is not state that answers depend on: losing it stops nothing. Drains are no history: package
// watch keeps them in a file of their own. Nothing here waits for a disk, except what says so.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Measurement is the result of one run of one test.
type Measurement struct {
	Test, Server, File string
	At                 time.Time
	Available          bool
	Response           time.Duration // of the whole download; absent and not 0 when unavailable (F36)
	FirstBlock         time.Duration
	Bytes              int64
	Retransmits        int
	Content            string // SHA-256 of what came, "" if nobody looked; the last of each test is kept
	Cause, Text        string // why it failed: the word, and the sentence
	Diagnosis          json.RawMessage
}

// Change is a server that went from one state to another, in the eyes of the monitor.
type Change struct {
	Test   string    `json:"test,omitempty"`
	Server string    `json:"server"`
	File   string    `json:"file,omitempty"`
	By     string    `json:"by,omitempty"` // the protocol; "" for a drain, and for what steers nothing
	At     time.Time `json:"at"`
	From   string    `json:"from,omitempty"`
	To     string    `json:"to"`
	Cause  string    `json:"cause,omitempty"`
	Text   string    `json:"text,omitempty"`
}

// Story is one boot attempt that came to an end, of some kind.
type Story struct {
	ID, Machine, Name, IP, State string
	Started, Updated             time.Time
	Body                         json.RawMessage // journal.Story with its steps
}

// AlertEvent is an alert that began or ended.
type AlertEvent struct {
	At       time.Time       `json:"at"`
	Key      string          `json:"key"`
	Code     string          `json:"code"`
	State    string          `json:"state"` // firing or resolved
	Severity string          `json:"severity"`
	Title    string          `json:"title"`
	Body     json.RawMessage `json:"alert,omitempty"` // the whole alert
}

// Silence keeps alerts that match from being told to anybody, until it ends.
type Silence struct {
	ID      string            `json:"id"`
	Match   map[string]string `json:"match"` // label → value, * stands for anything; all must match
	Since   time.Time         `json:"since"`
	Until   time.Time         `json:"until"`
	Comment string            `json:"comment,omitempty"`
	Who     string            `json:"who,omitempty"`
}

// Recorder takes what happens. It never waits: what does not fit is counted and lost.
type Recorder interface {
	Measure(Measurement)
	Change(Change)
	Story(Story)
	Alert(AlertEvent)
}

// Reader answers questions about the past.
type Reader interface {
	Series(context.Context, Query) ([]Series, error)
	Changes(context.Context, Query) ([]Change, error)
	Stories(context.Context, StoryQuery) ([]Story, error)
	Alerts(context.Context, Query) ([]AlertEvent, error)
	// Diagnosis returns the last one of a test or server before Until, nil if there is none.
	Diagnosis(context.Context, Query) (json.RawMessage, error)
}

// Content is what a test downloaded last.
type Content struct {
	Test, Server, File string
	SHA256             string
	At                 time.Time // when it was first seen
}

// Contents are kept with the measurements.
type Contents interface {
	// LoadContents returns the last content of each test as of before this process: what the process
	// itself measured it knows, and would not find changed.
	LoadContents(context.Context) ([]Content, error)
}

// Silences are kept on disk before SaveSilence and RemoveSilence return.
type Silences interface {
	LoadSilences(context.Context) ([]Silence, error)
	SaveSilence(context.Context, Silence) error
	RemoveSilence(ctx context.Context, id string) error
}

// Store is all of it. Sync returns when everything that was taken before is on disk.
type Store interface {
	Recorder
	Reader
	Contents
	Silences
	Sync(context.Context) error
}

// ErrClosed is the answer of a store whose disk cannot be used at present.
var ErrClosed = errors.New("the history is not open")
