package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"surefoot/internal/boot"
)

// Machine is an emulated PC to be booted.
type Machine struct {
	Firmware Firmware
	MAC      boot.MAC // zero: number 1 of its firmware
	UUID     string   // zero: derived from the MAC
	// Bridge is which network it is on: false beside the servers, true behind the relay.
	Behind bool
	// IPv6 makes UEFI firmware boot over IPv6.
	IPv6 bool
	// RealTime lets the machine's clock run at the speed of the wall clock. Otherwise waiting is
	// skipped: a boot takes a tenth of the time, but durations within it mean nothing.
	RealTime bool
	// RetryAfter makes a BIOS machine that found nothing to boot try again; 0 never does.
	RetryAfter time.Duration
	// Lines is told each line of the serial console as it comes; nil is silent.
	Lines func(since time.Duration, line string)
}

// VM is a machine that was switched on.
type VM struct {
	Machine
	Console *Console
	Log     string // path of the serial log, with time stamps
	proc    *Process
	space   string
	tap     string
	files   []string // to be removed when it stops
	stopped atomic.Bool
}

var errNoSwitch = errors.New("the lab has been taken down")

// Boot switches a machine on.
func (l *Lab) Boot(ctx context.Context, m Machine) (*VM, error) {
	if m.MAC.IsZero() {
		m.MAC = MAC(m.Firmware, 1)
	}
	if m.UUID == "" {
		m.UUID = fmt.Sprintf("50f00700-1ab0-4000-8000-%x", m.MAC[:])
	}
	sw := l.places[partSwitch]
	if sw == nil {
		return nil, errNoSwitch
	}
	id := fmt.Sprintf("%x", m.MAC[3:])
	vm := &VM{Machine: m, space: l.space(partSwitch), tap: "tap" + id, Log: filepath.Join(l.Dir, "serial-"+id+".log")}
	to := bridge
	if m.Behind {
		to = relayBridge
	}
	err := ip(ctx, vm.space, fmt.Sprintf("tuntap add %[1]s mode tap\nlink set %[1]s master %[2]s up\n", vm.tap, to))
	if err != nil {
		return nil, fmt.Errorf("network card of %s: %w", m.MAC, err)
	}
	args, err := vm.args(l.Dir)
	if err != nil {
		return nil, errors.Join(err, vm.Stop())
	}
	width := 80 // SeaBIOS copies the text screen, with its line ends
	if m.Firmware.isUEFI() {
		width = 0
	}
	vm.Console, err = newConsole(vm.Log, width, m.Lines)
	if err != nil {
		return nil, errors.Join(err, vm.Stop())
	}
	vm.proc, err = sw.start(command{
		name: "machine " + m.MAC.String(), path: qemuProgram, args: args, out: vm.Console, log: vm.Log,
	})
	if err != nil {
		return nil, errors.Join(err, vm.Stop())
	}
	go func() {
		<-vm.proc.Done()
		vm.Console.end()
	}()
	l.mu.Lock()
	l.machines = append(l.machines, vm)
	l.mu.Unlock()
	return vm, nil
}

// args is QEMU's command line. accel=tcg: firmware does not run under every KVM, and TCG is the
// faster one for it (BOOTLAB section 0).
func (vm *VM) args(dir string) ([]string, error) {
	nic := "virtio-net-pci,netdev=n0,bootindex=1,mac=" + vm.MAC.String()
	a := []string{
		"-m", "256", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio",
		"-uuid", vm.UUID, "-netdev", "tap,id=n0,script=no,downscript=no,ifname=" + vm.tap,
		"-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
	}
	if !vm.RealTime {
		a = append(a, "-icount", "shift=5,sleep=off")
	}
	if vm.RetryAfter > 0 {
		a = append(a, "-boot", fmt.Sprintf("reboot-timeout=%d", vm.RetryAfter.Milliseconds()))
	} else {
		a = append(a, "-no-reboot")
	}
	if !vm.Firmware.isUEFI() {
		// graphics=off: SeaBIOS copies what programs print on the screen to the serial console.
		return append(a, "-machine", "pc,accel=tcg,usb=off,graphics=off", "-device", nic), nil
	}
	vars := filepath.Join(dir, vm.tap+".vars.fd") // a machine's own: firmware writes into it
	b, err := os.ReadFile(ovmfVars)
	if err == nil {
		err = os.WriteFile(vars, b, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("UEFI variables of %s: %w", vm.MAC, err)
	}
	vm.files = append(vm.files, vars)
	a = append(a, "-machine", "q35,accel=tcg,usb=off",
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+ovmfCode,
		"-drive", "if=pflash,unit=1,format=raw,file="+vars,
		"-device", nic+",romfile=", // without QEMU's iPXE ROM: the firmware's own network stack
	)
	if vm.Firmware == UEFIHTTP || !vm.IPv6 {
		a = append(a, "-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n")
	}
	if vm.Firmware == UEFIHTTP || vm.IPv6 {
		a = append(a, "-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n")
	}
	return a, nil
}

// PID returns QEMU's process id.
func (vm *VM) PID() int { return vm.proc.PID() }

// Stop switches the machine off and unplugs it. It is safe to call twice.
func (vm *VM) Stop() error {
	if vm.stopped.Swap(true) {
		return nil
	}
	var errs []error
	if vm.proc != nil {
		errs = append(errs, vm.proc.Kill()) // a PC's plug: nothing in it is worth an orderly end
	}
	errs = append(errs, ip(context.Background(), vm.space, "link del "+vm.tap+"\n"))
	for _, f := range vm.files {
		errs = append(errs, os.Remove(f))
	}
	return errors.Join(errs...)
}
