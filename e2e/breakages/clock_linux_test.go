package breakages

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Go reads the time with code in the vDSO, a small library that the kernel puts into
// each process. These functions replace that code in one process. The new code makes
// the system call instead, and adds seconds to the result.

// setAhead sets the clock of a running process forward by the given duration.
func setAhead(pid int, by time.Duration) error {
	if runtime.GOARCH != "amd64" {
		return fmt.Errorf("the test can change a program's clock only on amd64, not on %s", runtime.GOARCH)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	defer syscall.Kill(pid, syscall.SIGCONT) //nolint:errcheck // the process exists, so the signal cannot fail
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer memory.Close()
	begin, end, err := vdso(pid)
	if err != nil {
		return err
	}
	image := make([]byte, end-begin)
	if _, err := memory.ReadAt(image, int64(begin)); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	at, err := clockCode(image)
	if err != nil {
		return err
	}
	if err := nobodyIn(pid, begin, end); err != nil {
		return err
	}
	_, err = memory.WriteAt(clockAhead(by), int64(begin+at))
	return err
}

// clockAhead returns machine code (amd64) that can replace the function clock_gettime.
// It makes the clock CLOCK_REALTIME show a time that is ahead by the duration by, in
// whole seconds.
func clockAhead(by time.Duration) []byte {
	code := []byte{
		0xb8, 0xe4, 0, 0, 0, // mov eax, SYS_clock_gettime
		0x0f, 0x05, // syscall
		0x85, 0xff, // test edi, edi: is the clock CLOCK_REALTIME?
		0x75, 0x07, // jne: if not, skip the next instruction
		0x48, 0x81, 0x06, 0, 0, 0, 0, // add qword [rsi], seconds
		0xc3, // ret
	}
	binary.LittleEndian.PutUint32(code[14:], uint32(by/time.Second))
	return code
}

// vdso returns the addresses in a process's memory at which the vDSO begins and ends.
func vdso(pid int) (begin, end uint64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			_, err := fmt.Sscanf(line, "%x-%x", &begin, &end)
			return begin, end, err
		}
	}
	return 0, 0, errors.New("the process has no vDSO")
}

// clockCode returns the address of clock_gettime within the vDSO.
func clockCode(image []byte) (uint64, error) {
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0, err
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return 0, err
	}
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" {
			return s.Value, nil
		}
	}
	return 0, errors.New("the vDSO has no clock_gettime")
}

// nobodyIn waits until each thread of a stopped process has really stopped. It returns
// an error if a thread executes code between the two addresses.
func nobodyIn(pid int, begin, end uint64) error {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	if err != nil {
		return err
	}
	for _, thread := range threads {
		if err := isElsewhere(thread, begin, end); err != nil {
			return err
		}
	}
	return nil
}

// isElsewhere waits until a thread has stopped. It returns an error if the thread
// executes code between the two addresses.
func isElsewhere(thread string, begin, end uint64) error {
	for {
		text, err := os.ReadFile(thread)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			return nil // the thread has ended
		}
		if err != nil {
			return err
		}
		fields := strings.Fields(string(text))
		if fields[0] == "running" {
			continue // the thread has not stopped yet
		}
		counter, err := strconv.ParseUint(fields[len(fields)-1], 0, 64)
		if err == nil && counter >= begin && counter < end {
			return errors.New("a thread is reading the clock: try again")
		}
		return err
	}
}
