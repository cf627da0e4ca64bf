package config

// ProbeFor says whom a node probes on a scraper's behalf.
type ProbeFor string

// The answers. The zero value is nobody.
const (
	ProbeNobody ProbeFor = ""
	ProbeSite   ProbeFor = "site" // the servers of the site file
	ProbeAny    ProbeFor = "any"
)

var scalarProbe = &Scalar{Name: "true, false or any", JSON: "string", Pattern: `^any$`, Bool: true}

func probeKey() Key {
	return Key{
		Name: "probe", Scalar: scalarProbe, Default: "(false)", Example: "probe: true",
		Doc: "Whether /probe on the status page downloads and looks up what a scraper names: true from the servers of this file, any from whoever the " +
			"scraper names, which makes the node send requests into every network that it reaches.",
	}
}

// parseProbe takes true, false or any.
func parseProbe(v *value) (ProbeFor, *fault) {
	if v.text == string(ProbeAny) {
		return ProbeAny, nil
	}
	if v.kind != kindBool {
		return "", faultf("%s is none of true, false and any", quote(v.text)).write("true")
	}
	if on, _ := parseBool(v); on {
		return ProbeSite, nil
	}
	return ProbeNobody, nil
}

// String is the value as the site file has it.
func (p ProbeFor) String() string {
	switch p {
	case ProbeSite:
		return "true"
	case ProbeAny:
		return "any"
	}
	return "false"
}
