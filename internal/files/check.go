package files

import "errors"

// Entries returns the entries as they were given to Open.
func (r *Root) Entries() []Entry { return r.entries }

// Check says what is wrong with what an entry stands for, nil if nothing. A template is tried out
// on a client of whom everything is known.
func (r *Root) Check(e Entry) error {
	t, err := r.served()
	if err != nil {
		return err
	}
	f, err := r.lookup(t, e.Target())
	if errors.Is(err, errAbsent) {
		return &NotFoundError{Name: e.Target(), Near: r.near(t, e.Target())}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if e.Template == "" {
		return nil
	}
	_, err = renderText(f, Client{
		IP: "192.0.2.7", MAC: "52:54:00:12:34:56", Name: "pc", Network: "lan", Arch: "uefi-x64", Firmware: "ipxe",
		Server: "192.0.2.1", Node: "node", Site: "site", File: e.Name,
	})
	return err
}
