package app

import (
	"slices"
	"testing"

	"surefoot/internal/config"
	"surefoot/internal/lb"
)

// The words of the site file are those of package lb.
func TestSchedulersAreThoseOfTheSiteFile(t *testing.T) {
	for _, k := range config.Keys() {
		if k.Path == "lb.services.NAME.scheduler" {
			var words []string
			for _, s := range lb.Schedulers() {
				words = append(words, string(s))
			}
			if !slices.Equal(words, k.Choice) {
				t.Errorf("lb has %q, the site file %q", words, k.Choice)
			}
			return
		}
	}
	t.Error("the site file has no lb.services.NAME.scheduler")
}
