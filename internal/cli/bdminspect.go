package cli

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/bdm"
)

// bdmShown is what build and inspect say of an image.
type bdmShown struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256,omitempty"` // of the whole file
	*bdm.Image
	AgeDays int `json:"age_days"`
}

func newBDMInspectCommand(o *bdmOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use: "inspect FILE|DEVICE", Short: "say what an image, a stick or a disk with our partition holds, and whether it is whole",
		Long: `Read an image of any format, or a disk or stick to which one was written: which servers, files and
addresses it holds, what boots it, and whether anything in it is damaged or was edited by hand.
Exit status 3 says that something is.`,
		Example: "  surefoot bdm inspect boot.iso\n  sudo surefoot bdm inspect /dev/sdb --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			f, size, err := openMedium(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			m, err := bdm.Open(f, size)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			m.CheckTexts(bdmTexts())
			if err := o.show(args[0], m, io.NewSectionReader(f, 0, size)); err != nil {
				return err
			}
			if len(m.Problems) > 0 {
				return &Error{Code: ExitProblems}
			}
			return nil
		},
	}
	return cmd
}

// openMedium opens a file or a device for reading.
func openMedium(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	size, err := f.Seek(0, io.SeekEnd) // of devices as well
	if st, e := f.Stat(); e == nil && st.IsDir() {
		err = errors.New("it is a folder")
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	return f, size, nil
}

// maxHashed is up to which size a medium is hashed: not a whole disk.
const maxHashed = 64 << 20

// show prints an image. whole is its content.
func (o *bdmOptions) show(path string, m *bdm.Image, whole io.Reader) error {
	shown := bdmShown{File: path, Image: m}
	if built, err := time.Parse(time.DateOnly, m.Settings.Built); err == nil {
		shown.AgeDays = int(time.Since(built) / (24 * time.Hour))
	}
	if m.Size <= maxHashed {
		h := sha256.New()
		if _, err := io.Copy(h, whole); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		shown.SHA256 = fmt.Sprintf("%x", h.Sum(nil))
	}
	if o.json {
		return o.printJSON(shown)
	}
	s := &m.Settings
	fmt.Fprintf(o.env.Out, "%s: %d bytes, %s\n", path, m.Size, m.Form)
	o.row("boots", "%s", bootsText(m))
	if len(m.UEFI) > 0 {
		o.row("UEFI file", "%s%s", s.File, hashText(s.SHA256))
	}
	if len(m.BIOS) > 0 {
		o.row("BIOS file", "%s%s", s.FileBIOS, hashText(s.SHA256BIOS))
	}
	for i, server := range s.Servers {
		name := "servers"
		if i > 0 {
			name = ""
		}
		o.row(name, "%s", server)
	}
	o.row("address", "%s", addressText(s))
	o.row("patience", "%d tries of %d s for each server, %d s between rounds", s.Tries, s.Timeout, s.Wait)
	if s.Site != "" {
		o.row("site", "%s", s.Site)
	}
	o.row("built", "%s%s, by surefoot %s", s.Built, ageText(shown.AgeDays), s.Version)
	o.row("id", "%s", s.ID)
	if shown.SHA256 != "" {
		o.row("sha256", "%s", shown.SHA256)
	}
	for _, p := range m.Problems {
		o.row("PROBLEM", "%s", p)
	}
	return nil
}

func bootsText(m *bdm.Image) string {
	var out []string
	if len(m.UEFI) > 0 {
		out = append(out, "UEFI machines ("+strings.Join(m.UEFI, ", ")+")")
	}
	if len(m.BIOS) > 0 {
		out = append(out, "BIOS machines ("+strings.Join(m.BIOS, ", ")+")")
	}
	if len(out) == 0 {
		return "no machine"
	}
	return strings.Join(out, " and ")
}

func hashText(h string) string {
	if h == "" {
		return ", whatever its content"
	}
	return ", sha256 " + h
}

func ageText(days int) string {
	switch {
	case days == 1:
		return " (1 day ago)"
	case days > 1:
		return fmt.Sprintf(" (%d days ago)", days)
	}
	return ""
}

func addressText(s *bdm.Settings) string {
	text := "by DHCP"
	if s.Static.IsValid() {
		text = s.Static.String()
		if s.Gateway.IsValid() {
			text += ", gateway " + s.Gateway.String()
		}
	}
	for _, d := range s.DNS {
		text += ", DNS server " + d.String()
	}
	if s.VLAN != 0 {
		text += fmt.Sprintf(", VLAN %d", s.VLAN)
	}
	return text
}
