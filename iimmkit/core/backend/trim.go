//go:build cgo && !noxla && linux && (amd64 || arm64)

package backend

/*
#include <stddef.h>
// glibc has it, other C libraries have not.
extern int malloc_trim(size_t) __attribute__((weak));
static void trim(void) { if (malloc_trim) malloc_trim(0); }
*/
import "C"

import (
	"fmt"
	"os"
	"sync"
)

// trimAbove is the memory of a process, in bytes, that Trim leaves alone.
var trimAbove = 2 << 30

var trimmed struct {
	sync.Mutex
	kept int // the least, in bytes, that the process held at a call since the last trim
}

// Trim, called after each of many calls of XLA on the CPU, gives memory that they
// freed back to the kernel, when the process holds half as much again as it did
// after the last time. Results of many sizes leave gaps that glibc keeps, by the
// settings of Environment and without them: tuning a ViT-B/32, of which 5 GB are in
// use, a process grows to 15 GB otherwise. That often, it costs no speed that could
// be measured; after every step, a tenth of it.
func Trim() {
	trimmed.Lock()
	defer trimmed.Unlock()
	now := resident()
	if now < max(trimAbove, trimmed.kept/2*3) {
		trimmed.kept = min(trimmed.kept, now)
		return
	}
	C.trim()
	trimmed.kept = resident()
}

// resident is the memory that the process holds in bytes, 0 where that is not known.
func resident() int {
	var size, pages int
	b, _ := os.ReadFile("/proc/self/statm")
	fmt.Sscan(string(b), &size, &pages)
	return pages * os.Getpagesize()
}
