// Package lease accounts for addresses: whose they are, until when, and which one a machine gets.
// It is pure: time is handed in, records come out; disk, network and log are its callers' business.
package lease
