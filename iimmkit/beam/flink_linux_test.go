package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
	"github.com/iimmkit/iimm/iimmkit/core/shard"
	"github.com/iimmkit/iimm/iimmkit/file/fetch"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

// without skips a test for which Java, or what Maven brings, is missing; where
// IIMM_REQUIRE names java it fails.
func without(t *testing.T, why string) {
	t.Helper()
	if strings.Contains(os.Getenv("IIMM_REQUIRE"), "java") {
		t.Fatalf("IIMM_REQUIRE names java, but: %s", why)
	}
	t.Skip(why)
}

// flink returns the class path of Flink and of Beam's runner for it: what
// testdata/flink pins, which Maven brings into the cache once.
func flink(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("java"); err != nil {
		without(t, "no Java: "+err.Error())
	}
	cache, err := store.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := os.Open("testdata/flink/jars.sha256")
	if err != nil {
		t.Fatal(err)
	}
	defer pinned.Close()
	dir := filepath.Join(cache, "beam", "flink-1.19-2.62.0")
	var path, missing []string
	check := func(dir string) {
		path, missing = nil, nil
		pinned.Seek(0, io.SeekStart)
		for lines := bufio.NewScanner(pinned); lines.Scan(); {
			sum, name, _ := strings.Cut(lines.Text(), "  ")
			if b, err := hex.DecodeString(sum); err != nil || len(b) != 32 || name != filepath.Base(name) {
				t.Fatalf("jars.sha256: %q", lines.Text())
			}
			jar := filepath.Join(dir, name)
			if got, err := fetch.SHA256(jar); err != nil || got != sum {
				missing = append(missing, name)
			}
			path = append(path, jar)
		}
	}
	if check(dir); len(missing) == 0 {
		return strings.Join(path, ":")
	}
	if fetch.Offline() {
		without(t, fetch.ErrOffline.Error())
	}
	// Under its name only when whole, also where two tests do it at once.
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), "part-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(part)
	maven := exec.CommandContext(t.Context(), "mvn", "--batch-mode", "--quiet", "--strict-checksums", "--file", "testdata/flink/pom.xml",
		"org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+part)
	if out, err := maven.CombinedOutput(); err != nil {
		without(t, fmt.Sprintf("Maven brings no Flink: %v: %s", err, last(out)))
	}
	if check(part); len(missing) > 0 {
		t.Fatalf("Maven brought other files than jars.sha256 has: %v", missing)
	}
	if err := errors.Join(os.RemoveAll(dir), os.Rename(part, dir)); err != nil {
		t.Fatal(err)
	}
	check(dir)
	return strings.Join(path, ":")
}

// last is the end of what a program printed.
func last(out []byte) string {
	s := strings.TrimSpace(string(out))
	return s[max(0, len(s)-500):]
}

// java is the command line of a class of Flink's.
func java(jars, memory, class string, args ...string) []string {
	line := []string{"-Xmx" + memory, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", jars}
	for _, p := range []string{"java.lang", "java.lang.invoke", "java.util", "java.util.concurrent", "java.nio", "sun.nio.ch"} {
		line = append(line, "--add-opens=java.base/"+p+"=ALL-UNNAMED")
	}
	return append(append(line, class), args...)
}

// jobServer starts Beam's job server for a Flink and returns it with its address.
func jobServer(t *testing.T, dir, jars string, env []string, args ...string) (*process, string) {
	t.Helper()
	p := start(t, dir, "jobserver", env, "java", java(jars, "512m", "org.apache.beam.runners.flink.FlinkJobServerDriver",
		append(args, "--job-host", "127.0.0.1", "--job-port", "0", "--artifact-port", "0", "--expansion-port", "-1", "--artifacts-dir", filepath.Join(dir, "artifacts"))...)...)
	return p, "127.0.0.1:" + p.says(t, `JobService started on [^:]*:(\d+)`)
}

func TestFlinkComesToTheResultOfOneMachine(t *testing.T) {
	jars := flink(t)
	g := golden.Mid()
	dir := t.TempDir()
	patterns := writeShards(t, dir, g, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120)
	texts, captions := captions(t)
	stats := filepath.Join(dir, "all.stats")
	env := []string{beProgram + "=" + dir, "TMPDIR=" + t.TempDir()}
	p, endpoint := jobServer(t, dir, jars, env, "--flink-master", "[local]")
	submit := append([]string{"--runner=universal", "--endpoint=" + endpoint, "--environment_type=LOOPBACK", "--parallelism=4", "--out", stats}, patterns...)

	out, errs, code := program(t, append([]string{"--texts", captions}, submit...)...)
	if code != 0 || !strings.Contains(out, "120 rows of width 80, from shards: 12") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	got, err := shard.Read(stats)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, oneMachine(t, patterns, shard.Options{Texts: texts}), texts)
	wantGolden(t, stats, g, 12)

	// The same shard in two bundles is refused there as well, and nothing is written.
	if err := os.Remove(stats); err != nil {
		t.Fatal(err)
	}
	_, errs, code = program(t, append([]string{"--classes", "6"}, append(submit, filepath.Join(dir, "part00.npy"))...)...)
	if code != 1 || !strings.Contains(errs, "is in both") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if _, err := os.Stat(stats); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("statistics were written: %v", err)
	}
	p.stop()
	noneLeft(t, env[0])
}

// noneLeft fails unless all processes with a variable end by themselves soon.
func noneLeft(t *testing.T, variable string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		pids := marked(variable)
		if len(pids) == 0 {
			return
		}
		if time.Now().After(end) {
			for _, pid := range pids {
				line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				t.Errorf("process %d is left: %s", pid, strings.ReplaceAll(string(line), "\x00", " "))
				syscall.Kill(pid, syscall.SIGKILL)
			}
			return
		}
	}
}

// opened is a line of the trace that slow writes.
type opened struct {
	pid  int
	self string // program of the process
	file string
}

func trace(t *testing.T, dir string) (all []opened) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "trace"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var o opened
		if n, _ := fmt.Sscan(line, &o.pid, &o.self, &o.file); n == 3 {
			all = append(all, o)
		}
	}
	return all
}

// A cluster of a job manager and two task managers, each with a worker process of
// its own. A worker is killed, then a task manager: the job is tried again each time
// and counts nothing twice.
func TestKilledWorkersDoNotChangeTheResult(t *testing.T) {
	jars := flink(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	boot := filepath.Join(dir, "boot")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", boot, "github.com/apache/beam/sdks/v2/go/container").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	conf, err := os.ReadFile("testdata/flink/flink-conf.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// Every process has a folder, and a port that it took: one that was only seen to be
	// free may be another's by then.
	configure := func(name string, port string) (own string) {
		own = filepath.Join(dir, name)
		if err := errors.Join(os.Mkdir(own, 0o700), os.WriteFile(filepath.Join(own, "flink-conf.yaml"),
			fmt.Appendf(conf, "jobmanager.rpc.port: %s\nrest.port: 0\nio.tmp.dirs: %s\n", port, own), 0o600)); err != nil {
			t.Fatal(err)
		}
		return own
	}
	env := []string{beProgram + "=" + dir, "TMPDIR=" + dir}
	own := configure("jobmanager", "0")
	master := start(t, own, "jobmanager", env, "java", java(jars, "400m", "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", "--configDir", own, "--executionMode", "cluster")...)
	rpc := master.says(t, `Actor system started at pekko\.tcp://flink@127\.0\.0\.1:(\d+)`)
	address := "127.0.0.1:" + master.says(t, `Rest endpoint listening at 127\.0\.0\.1:(\d+)`)
	var managers []*process
	for _, name := range []string{"taskmanager1", "taskmanager2"} {
		own = configure(name, rpc)
		managers = append(managers, start(t, own, name, env, "java", java(jars, "400m", "org.apache.flink.runtime.taskexecutor.TaskManagerRunner", "--configDir", own)...))
	}
	started := append([]*process{master}, managers...)
	eventually(t, "cluster of two task managers", patience, func() bool {
		r, err := http.Get("http://" + address + "/overview")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		var o struct{ TaskManagers int }
		return json.NewDecoder(r.Body).Decode(&o) == nil && o.TaskManagers == 2
	})
	server, endpoint := jobServer(t, dir, jars, env, "--flink-master", address, "--flink-conf-dir", own)
	started = append(started, server)

	const shards = 40
	cut := make([]int, shards+1)
	for i := range cut {
		cut[i] = i * golden.N / shards
	}
	in := filepath.Join(dir, "in")
	if err := os.Mkdir(in, 0o700); err != nil {
		t.Fatal(err)
	}
	g := golden.Mid()
	patterns := writeShards(t, in, g, cut...)
	texts, captions := captions(t)
	stats := filepath.Join(dir, "all.stats")
	config, err := json.Marshal(map[string]any{"command": self, "env": map[string]string{beBoot: boot, beProgram: dir, "TMPDIR": dir}})
	if err != nil {
		t.Fatal(err)
	}
	// boot copies the worker's program below /tmp, and leaves it there.
	t.Cleanup(func() {
		for _, o := range trace(t, in) {
			if o.self != self && filepath.Base(o.self) == "worker" {
				os.RemoveAll(filepath.Dir(o.self))
			}
		}
	})
	job := start(t, dir, "job", env, self, "--runner=universal", "--endpoint="+endpoint, "--environment_type=PROCESS", "--environment_config="+string(config),
		"--parallelism=4", "--texts", captions, "--out", stats, "slow://"+patterns[0], "slow://"+patterns[1])
	started = append(started, job)

	// First a worker dies in its work; then, when another does again what it had done,
	// the task manager of that one.
	working := func(holds func([]opened) bool) func() bool {
		return func() bool {
			all := trace(t, in)
			select {
			case <-job.done:
				out, _ := os.ReadFile(job.log)
				t.Fatalf("the job ended after %d files: %s", len(all), last(out))
			default:
			}
			return holds(all)
		}
	}
	var killed, heir int
	eventually(t, "work", patience, working(func(all []opened) bool {
		if len(all) >= 4 {
			killed = all[0].pid
		}
		return killed != 0
	}))
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "work done again after a worker was killed", patience, working(func(all []opened) bool {
		lost := map[string]bool{}
		for _, o := range all {
			if o.pid == killed {
				lost[o.file] = true
			} else if lost[o.file] {
				heir = o.pid
			}
		}
		return heir != 0
	}))
	manager := parent(parent(parent(heir))) // boot, and who runs it
	if manager != managers[0].pid && manager != managers[1].pid {
		t.Fatalf("worker %d is of no task manager", heir)
	}
	if err := syscall.Kill(manager, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-job.done:
	case <-time.After(patience):
		t.Fatalf("the job did not end; %d files were opened", len(trace(t, in)))
	}
	times := map[string]int{}
	for _, o := range trace(t, in) {
		times[o.file]++
	}
	t.Logf("%d files were opened %d times", len(times), len(trace(t, in)))
	got, err := shard.Read(stats)
	if err != nil {
		out, _ := os.ReadFile(job.log)
		t.Fatalf("%v; %s", err, last(out))
	}
	same(t, got, oneMachine(t, patterns, shard.Options{Texts: texts}), texts)
	wantGolden(t, stats, g, shards)
	for i := range started {
		started[len(started)-1-i].stop()
	}
	noneLeft(t, env[0])
}
