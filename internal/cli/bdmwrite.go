package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surefoot/internal/bdm"
	"surefoot/internal/kernel/disk"
)

const bdmWriteLong = `Write an image to a stick or a disk, or into a partition of one that keeps its others.

  surefoot bdm write boot.iso /dev/sdX                   the whole disk: everything on it is lost
  surefoot bdm write boot.iso /dev/sda --beside          a new partition in free space (GPT); UEFI boots it
  surefoot bdm write boot.iso /dev/sda --partition 3     into that EFI system partition

The disk is shown first, and the question is asked, unless --yes answers it. A disk or partition that
is mounted, swap space, part of a RAID or LVM, or behind a loop device is refused, as is one that is
too small. What was written is read back and compared. A file may stand for the disk.`

type bdmWriteOptions struct {
	*bdmOptions
	partition int
	beside    bool
	yes, dry  bool
}

func newBDMWriteCommand(b *bdmOptions) *cobra.Command {
	o := &bdmWriteOptions{bdmOptions: b}
	cmd := &cobra.Command{
		Use: "write FILE DEVICE", Short: "write an image to a stick or disk, or beside other partitions", Long: bdmWriteLong,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("partition") && o.partition < 1 {
				return usageError(cmd, errors.New("--partition: partitions are counted from 1"))
			}
			if err := exclusive(cmd, "partition", "beside"); err != nil {
				return err
			}
			return o.run(args[0], args[1])
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.partition, "partition", 0, "number of the EFI system partition to write into")
	f.BoolVar(&o.beside, "beside", false, "add a partition in free space, and keep the others")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	f.BoolVar(&o.dry, "dry-run", false, "say what would happen, and write nothing")
	return cmd
}

// bdmWritten is what --json says of a write.
type bdmWritten struct {
	Disk      *disk.Disk `json:"disk"`
	Plan      []string   `json:"plan"`
	Bytes     int64      `json:"bytes"`
	Partition int        `json:"partition,omitempty"`
	Written   bool       `json:"written"`
}

func (o *bdmWriteOptions) run(file, device string) error {
	src, size, err := openMedium(file)
	if err != nil {
		return err
	}
	defer src.Close()
	m, err := bdm.Open(src, size)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if m.CheckTexts(bdmTexts()); len(m.Problems) > 0 {
		return fmt.Errorf("%s: %s", file, strings.Join(m.Problems, "; "))
	}
	d, err := disk.System{}.Look(device)
	if err != nil {
		return err
	}
	if !o.json {
		o.showDisk(d)
	}
	if err := o.suits(d); err != nil {
		return err
	}
	f, err := d.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	plan, err := o.plan(m, f, d)
	if err != nil {
		return fmt.Errorf("%s: %w", device, err)
	}
	done := bdmWritten{Disk: d, Plan: plan.Says, Bytes: plan.Bytes(), Partition: plan.Partition}
	if !o.json {
		for _, line := range plan.Says {
			o.row("then", "%s", line)
		}
	}
	if o.dry {
		if o.json {
			return o.printJSON(done)
		}
		return nil
	}
	if !o.yes {
		if err := o.ask(device); err != nil {
			return err
		}
	}
	if err := plan.Run(f, o.progress()); err != nil {
		return fmt.Errorf("%s: %w", device, err)
	}
	if err := d.Reread(f); err != nil {
		fmt.Fprintf(o.env.Err, "note: %v\n", err)
	}
	if done.Written = true; o.json {
		return o.printJSON(done)
	}
	fmt.Fprintf(o.env.Out, "%s: %d bytes written and read back\n", device, done.Bytes)
	if plan.Partition > 0 && !d.File {
		o.row("next", "a firmware that does not offer it by itself: efibootmgr -c -d %s -p %d -L Surefoot -l '\\EFI\\BOOT\\BOOTX64.EFI'", device, plan.Partition)
	}
	return nil
}

// suits refuses disks that must not be written to.
func (o *bdmWriteOptions) suits(d *disk.Disk) error {
	if err := refuseUsed(d); err != nil {
		return err
	}
	switch {
	case d.PartOf != "":
		return &Error{
			Err:   fmt.Errorf("%s is a partition of %s", d.Path, d.PartOf),
			Hints: []string{fmt.Sprintf("name the disk, and --partition N with it: surefoot bdm write FILE /dev/%s --partition N", d.PartOf)},
		}
	case d.Sector != 512:
		return fmt.Errorf("%s has sectors of %d bytes, and images are made for those of 512", d.Path, d.Sector)
	}
	return nil
}

func (o *bdmWriteOptions) plan(m *bdm.Image, f *os.File, d *disk.Disk) (*bdm.Plan, error) {
	switch {
	case o.beside:
		return m.PlanBeside(f, d.Size)
	case o.partition > 0:
		return m.PlanPartition(f, d.Size, o.partition)
	}
	return m.PlanWhole(d.Size)
}

func (o *bdmWriteOptions) showDisk(d *disk.Disk) {
	kind := "disk"
	switch {
	case d.File:
		kind = "file"
	case d.Removable:
		kind = "removable disk"
	}
	fmt.Fprintf(o.env.Out, "%s: %s of %s\n", d.Path, kind, sizeText(d.Size))
	if d.Model != "" {
		o.row("model", "%s", d.Model)
	}
	for _, p := range d.Parts {
		o.row(p.Name, "%s", strings.Join(append([]string{sizeText(p.Size)}, p.Users...), ", "))
	}
}

// sizeText is a size as it is printed on disks.
func sizeText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d bytes", n)
}

// ask wants the word yes, whole.
func (o *bdmWriteOptions) ask(device string) error {
	fmt.Fprintf(o.env.Err, "Write to %s? Type yes: ", device)
	line, err := bufio.NewReader(o.env.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	if strings.TrimSpace(line) != "yes" {
		return &Error{Err: errors.New("not written: the answer was not yes"), Machine: "not-confirmed", Hints: []string{"--yes answers beforehand"}}
	}
	return nil
}

// progress says how far a long write is, at most once a second.
func (o *bdmWriteOptions) progress() func(done, total int64) {
	begun := time.Now()
	said := begun
	return func(done, total int64) {
		if now := time.Now(); now.Sub(said) >= time.Second && done < total {
			said = now
			fmt.Fprintf(o.env.Err, "written %s of %s\n", sizeText(done), sizeText(total))
		}
	}
}
