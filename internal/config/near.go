package config

import (
	"slices"
	"strings"

	"surefoot/internal/typo"
)

// synonyms are keys of other programs, or of an earlier habit, with the one that is meant here.
var synonyms = map[string]string{
	"ip": "address", "addr": "address", "host": "address", "iface": "interfaces", "nic": "interfaces",
	"interval": "every", "period": "every", "resptimeout": "timeout", "fall": "down_after", "failureretries": "down_after",
	"retries": "down_after", "rise": "up_after", "successretries": "up_after", "monitor": "watch",
	"rules": "boot", "rule": "boot", "subnets": "networks", "hosts": "reservations",
	"next-server": "from", "next_server": "from", "server": "from", "servers": "from",
	"filename": "file", "bootfile": "file", "boot_file": "file", "path": "file",
	"match": "when", "if": "when", "hostname": "name", "id": "name",
	"architecture": "arch", "hwaddr": "mac", "hardware": "mac", "cidr": "subnet",
	"delivery": "deliver", "mode": "deliver", "bind": "listen", "address": "listen",
	"aliases": "files", "templates": "files", "alias": "file", "target": "file", "tmpl": "template",
	"vip": "vips", "virtual_router_id": "vrid", "advert_int": "advert", "nopreempt": "preempt", "virtual_ipaddress": "address",
	"sha": "sha256", "checksum": "sha256", "hash": "sha256", "tftp_root": "root", "directory": "root",
}

// longestWord is how long a word may be and still be like another; longer ones are wholly different.
const longestWord = 64

// nearest returns the names most like the one given, best first, at most three.
func nearest(name string, names []string) []string {
	type scored struct {
		name string
		d    int
	}
	var list []scored
	low := strings.ToLower(name)
	for _, n := range names {
		d := longestWord
		if len(low) <= longestWord && len(n) <= longestWord {
			d = typo.Distance(low, strings.ToLower(n), longestWord)
		}
		begins := len(low) >= 3 && len(n) >= 3 && (strings.HasPrefix(strings.ToLower(n), low) || strings.HasPrefix(low, strings.ToLower(n)))
		if begins || d <= max(1, min(len(low), len(n))/3) {
			list = append(list, scored{n, d})
		}
	}
	slices.SortStableFunc(list, func(a, b scored) int { return a.d - b.d })
	var out []string
	for _, s := range list[:min(3, len(list))] {
		out = append(out, s.name)
	}
	return out
}

// didYouMean returns "did you mean A, or B?", or a list of what there is, or "".
func didYouMean(name string, names []string) string {
	if near := nearest(name, names); len(near) > 0 {
		return "did you mean " + strings.Join(near, ", or ") + "?"
	}
	if len(names) == 0 {
		return ""
	}
	const most = 12
	if len(names) > most {
		return "there are " + strings.Join(names[:most], ", ") + " and others"
	}
	if len(names) == 1 {
		return "there is only " + names[0]
	}
	return "there are " + strings.Join(names, ", ")
}
