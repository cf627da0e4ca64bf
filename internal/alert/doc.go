// Package alert decides what somebody has to be told: rules over measurements, changes of state,
// ends of boots and what DISCOVERs are answered with. It is a pure machine: values and the time go
// in, alerts that began, ended or are to be repeated come out. It has no clock, no socket, no
// disk. Package notifier, below, is who tells it.
package alert
