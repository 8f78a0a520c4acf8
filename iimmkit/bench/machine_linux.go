package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// machine is the name of the processor and the size of the memory.
func machine() string {
	name := "unknown processor"
	for line := range strings.Lines(text("/proc/cpuinfo")) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			name = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%s, %.0f GB", name, float64(memory("MemTotal"))/1e9)
}

// load is the mean number of processes that ran or wanted to in the last minute.
func load() *float64 {
	first, _, _ := strings.Cut(text("/proc/loadavg"), " ")
	v, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return nil
	}
	return &v
}

// freeMemory is how much programs and files may take.
func freeMemory() (bytes int64, known bool) {
	v := memory("MemAvailable")
	return v, v > 0
}

func memory(key string) int64 {
	for line := range strings.Lines(text("/proc/meminfo")) {
		var kB int64
		if n, _ := fmt.Sscanf(line, key+": %d kB", &kB); n == 1 {
			return kB << 10
		}
	}
	return 0
}

func text(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

// evict drops a file from memory, so that the next reader waits for the disk.
func evict(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	// What is not yet on the disk cannot be dropped.
	return f.Sync() == nil && unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) == nil
}

// forgetPeak makes the peak of this process what it holds now.
func forgetPeak() {
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // see proc_pid_clear_refs(5)
}

// peak is the most memory that a process held.
func peak(p *os.ProcessState) *int64 {
	u, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return nil
	}
	return new(u.Maxrss << 10)
}
