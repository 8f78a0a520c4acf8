package notebook

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFailuresAreSaidInOneLineAndLeaveNothing executes notebooks that end in
// every way, each with a folder for temporary files of its own.
func TestFailuresAreSaidInOneLineAndLeaveNothing(t *testing.T) {
	gonb(t)
	for _, c := range []struct {
		name, source string
		kind, want   string
	}{
		{"well", "%%\nfmt.Println(1)", "", ""},
		{"compile error", "%%\nfmt.Println(1)\nundefinedA()\nundefinedB()", "ERROR", "line 3: undefined: undefinedA (and 1 line more)"},
		{"syntax error", "%%\nfmt.Println(1", "ERROR", "line 2: missing ',' before newline in argument list"},
		{"panic", "%%\nvar list []int\nfmt.Println(list[3])", "ERROR", "panic: runtime error: index out of range [3] with length 0 (In[1] line 3)"},
		{"panic in a goroutine", "%%\ngo func() { panic(\"no\") }()\ntime.Sleep(time.Minute)", "ERROR", "panic: no (In[1] line 2)"},
		{"deadlock", "%%\nvar mu sync.Mutex\nmu.Lock()\nmu.Lock()", "ERROR", "fatal error: all goroutines are asleep - deadlock! (In[1] line 4)"},
		{"exit", "%%\nos.Exit(3)", "ERROR", "the program ended with exit status 3"},
		{"exit with words", "import \"log\"\n%%\nlog.SetFlags(0)\nlog.Fatal(\"no such thing\")", "ERROR", "the program ended with exit status 1: no such thing"},
		{"exit 0 is no failure", "%%\nos.Exit(0)", "", ""},
		{"killed program", "import \"syscall\"\n%%\nsyscall.Kill(os.Getpid(), syscall.SIGKILL)", "ERROR", "the program was ended by a signal (killed)"},
		{"endless loop", "%%\nfor {\n}", Timeout, "the cell ran longer than 3s and was interrupted"},
		{"deaf loop", "import (\n\t\"os/signal\"\n)\n%%\nsignal.Ignore(os.Interrupt)\nfor {\n}", Timeout, "the cell ran longer than 3s and was interrupted"},
		{"killed kernel", "import \"syscall\"\n%%\nsyscall.Kill(os.Getppid(), syscall.SIGKILL)\ntime.Sleep(time.Minute)", KernelDied, "the kernel died (signal: killed)"},
		{"killed kernel with a busy cell", "import \"syscall\"\n%%\nsyscall.Kill(os.Getppid(), syscall.SIGKILL)\nfor {\n}", KernelDied, "the kernel died (signal: killed)"},
		{"child in a session of its own", "import (\n\t\"os/exec\"\n\t\"syscall\"\n)\n%%\nc := exec.Command(\"sleep\", \"600\")\nc.SysProcAttr = &syscall.SysProcAttr{Setsid: true}\nfmt.Println(c.Start())\npanic(\"left\")", "ERROR", "panic: left (In[1] line 9)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tmp := t.TempDir()
			t.Setenv("TMPDIR", tmp)
			n := code(c.source, "%%\nfmt.Println(\"never\")")
			if c.kind == "" {
				n.Cells = n.Cells[:1]
			}
			begin := time.Now()
			err := run(t, n, Options{Timeout: 3 * time.Second})
			var fail *CellError
			switch {
			case c.kind == "" && err != nil:
				t.Errorf("failed: %v", err)
			case c.kind != "" && !errors.As(err, &fail):
				t.Fatalf("got %v, want a CellError", err)
			case c.kind != "" && (fail.Name != c.kind || !strings.HasPrefix(fail.Summary, c.want) || strings.Contains(fail.Summary, "\n")):
				t.Errorf("%s: %q, in full %q", fail.Name, fail.Summary, fail.Message)
			}
			if len(n.Cells) > 1 && n.Cells[1].Outputs != nil {
				t.Error("the cell after the failing one was executed")
			}
			if d := time.Since(begin); d > 40*time.Second {
				t.Errorf("took %v", d)
			}
			nothingIn(t, tmp)
		})
	}
}

// nothingIn fails when a folder for temporary files holds something or a
// process was started with it.
func nothingIn(t *testing.T, tmp string) {
	t.Helper()
	left, err := os.ReadDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		t.Errorf("left in the temporary folder: %s", f.Name())
	}
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range environs {
		env, err := os.ReadFile(f)
		if err == nil && strings.Contains(string(env), "\x00TMPDIR="+tmp+"/") {
			name, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline"))
			t.Errorf("left running: %s", strings.ReplaceAll(string(name), "\x00", " "))
		}
	}
}
