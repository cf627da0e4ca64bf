package app

import (
	"fmt"
	"testing"

	"surefoot/internal/config"
	"surefoot/internal/lb"
)

// The site file knows every scheduler of package lb.
func TestSchedulersAreThoseOfTheSiteFile(t *testing.T) {
	for _, s := range lb.Schedulers() {
		text := fmt.Sprintf("nodes: {n1: {address: 10.0.0.1, roles: [lb]}}\nservers: {a: {tftp: 10.0.0.2}}\n"+
			"boot: [{name: b, file: f, from: [a]}]\nnetworks: {n: {subnet: 10.0.0.0/24, deliver: none}}\n"+
			"lb: {services: {boot: {listen: 10.0.0.9, backends: [a], scheduler: %s}}}\n", s)
		c, err := config.Parse("f", []byte(text), config.Options{})
		if err != nil || c.Balances[0].Scheduler != string(s) {
			t.Errorf("%s: %v", s, err)
		}
	}
}
