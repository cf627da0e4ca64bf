package bpf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// The file systems in which programs and maps stay when the process ends (bpf(2), BPF_OBJ_PIN).
const (
	systemFS = "/sys/fs/bpf" // systemd mounts it
	ownFS    = "/run/surefoot/bpf"
	folder   = "surefoot"
)

// Place is the folder of the current network namespace in the BPF file system, which is mounted if there is
// none: programs of one namespace are no business of another's.
func Place() (string, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return "", fmt.Errorf("ask for the network namespace: %w", err)
	}
	root := systemFS
	if !isBPF(root) {
		root = ownFS
		if err := mount(root); err != nil {
			return "", err
		}
	}
	return filepath.Join(root, folder, fmt.Sprintf("net-%d", st.Ino)), nil
}

// Left is the folder of the current network namespace if a process left something there. Nothing is mounted.
func Left() (string, bool) {
	var st unix.Stat_t
	if unix.Stat("/proc/thread-self/ns/net", &st) != nil {
		return "", false
	}
	for _, root := range []string{systemFS, ownFS} {
		dir := filepath.Join(root, folder, fmt.Sprintf("net-%d", st.Ino))
		if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 && isBPF(root) {
			return dir, true
		}
	}
	return "", false
}

// Clear takes away what a process left in a folder, unless one is at work there.
func Clear(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	p := &Path{dir: dir}
	if err := p.enter(); err != nil {
		return err
	}
	return p.Remove()
}

func mount(at string) error {
	if isBPF(at) {
		return nil
	}
	if err := os.MkdirAll(at, 0o700); err != nil {
		return fmt.Errorf("make the folder of the BPF file system: %w", err)
	}
	if err := unix.Mount("bpf", at, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700"); err != nil {
		return explainMount(at, err)
	}
	return nil
}

func explainMount(at string, err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return &PermissionError{Doing: fmt.Sprintf("mount the BPF file system, which is not at %s, at %s", systemFS, at), Needs: "CAP_SYS_ADMIN", Err: err}
	}
	return fmt.Errorf("mount the BPF file system at %s: %w", at, err)
}

func isBPF(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.BPF_FS_MAGIC
}

// unplace unmounts what mount mounted, if nothing is left in it.
func unplace() {
	left, err := os.ReadDir(ownFS)
	theirs := func(e os.DirEntry) bool { return strings.HasSuffix(e.Name(), ".debug") } // the kernel's own
	if err != nil || !isBPF(ownFS) || len(slices.DeleteFunc(left, theirs)) > 0 {
		return
	}
	_ = unix.Unmount(ownFS, 0)
}
