package notebook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-zeromq/zmq4"

	"github.com/iimmkit/iimm/kernels"
)

// client is a running kernel and the sockets to it.
type client struct {
	codec
	cmd    *exec.Cmd
	signal bool // interrupt by signal, not by message
	folder string

	shell, control, stdin, iopub zmq4.Socket
	cancel                       context.CancelFunc

	published chan message // what the kernel tells everybody: output and state
	replies   chan message // answers on shell and control
	questions chan message // input_request

	dead      chan struct{} // closed when the process has ended
	exit      error         // its exit, valid once dead is closed
	complaint *tailWriter   // the end of its standard error
}

// interruptGrace is how long a kernel may take to stop a cell: GoNB itself
// kills a cell's program after 5 seconds.
const interruptGrace = 8 * time.Second

// startKernel starts a kernel in a folder and waits until it answers. Ports are
// chosen here and bound by the kernel; when another process takes one in
// between, the kernel ends and is started again on others.
func startKernel(ctx context.Context, spec kernels.Spec, dir string, env []string, patience time.Duration) (*client, error) {
	var err error
	for range 3 {
		var c *client
		if c, err = launch(spec, dir, env); err != nil {
			return nil, err
		}
		if err = c.connect(ctx, patience); err == nil {
			return c, nil
		}
		text := c.complaint.String()
		c.kill()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !strings.Contains(text, "address already in use") {
			break
		}
	}
	return nil, fmt.Errorf("starting kernel %s: %w", spec.Name, err)
}

func launch(spec kernels.Spec, dir string, env []string) (c *client, err error) {
	ports, err := freePorts(5)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "iimm-kernel-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(folder)
		}
	}()
	key := newUUID()
	connection := map[string]any{
		"transport": "tcp", "ip": "127.0.0.1", "key": key, "signature_scheme": "hmac-sha256", "kernel_name": spec.Name,
		"shell_port": ports[0], "iopub_port": ports[1], "stdin_port": ports[2], "control_port": ports[3], "hb_port": ports[4],
	}
	data, err := json.Marshal(connection)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(folder, "kernel-"+newUUID()+".json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return nil, err
	}
	cmd, err := spec.Command(file)
	if err != nil {
		return nil, err
	}
	cmd.Dir = dir
	// TMPDIR: what the kernel leaves behind when it is killed goes with our folder.
	cmd.Env = append(cmd.Env, "PWD="+dir, tmpMark(folder))
	cmd.Env = append(cmd.Env, env...)
	complaint := &tailWriter{}
	cmd.Stdout, cmd.Stderr = io.Discard, complaint
	// A grandchild may keep the pipe open when the kernel itself is dead.
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting kernel %s: %w", spec.Name, err)
	}
	sockets, cancel := context.WithCancel(context.Background())
	quiet := zmq4.WithLogger(log.New(io.Discard, "", 0))
	c = &client{
		codec:  codec{key: []byte(key), session: newUUID()},
		cmd:    cmd,
		signal: spec.InterruptMode == "signal" || spec.InterruptMode == "",
		folder: folder, cancel: cancel, complaint: complaint,
		published: make(chan message, 1024), replies: make(chan message, 64), questions: make(chan message, 8),
		dead: make(chan struct{}),
	}
	// Answers to questions are routed by the identity, so it is the same on
	// shell and stdin.
	identity := zmq4.WithID(zmq4.SocketIdentity(c.session))
	c.shell = zmq4.NewDealer(sockets, identity, quiet)
	c.control = zmq4.NewDealer(sockets, identity, quiet)
	c.stdin = zmq4.NewDealer(sockets, identity, quiet)
	c.iopub = zmq4.NewSub(sockets, quiet)
	go func() {
		c.exit = cmd.Wait()
		close(c.dead)
	}()
	return c, c.dial(sockets, ports)
}

// dial connects the sockets in the background of a starting kernel.
func (c *client) dial(ctx context.Context, ports []int) error {
	if err := c.iopub.SetOption(zmq4.OptionSubscribe, ""); err != nil {
		return err
	}
	for i, s := range []zmq4.Socket{c.shell, c.iopub, c.stdin, c.control} {
		into := []chan message{c.replies, c.published, c.questions, c.replies}[i]
		address := fmt.Sprintf("tcp://127.0.0.1:%d", ports[i])
		go func() {
			for s.Dial(address) != nil {
				select {
				case <-ctx.Done():
					return
				case <-c.dead:
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
			c.receive(ctx, s, into)
		}()
	}
	return nil
}

func (c *client) receive(ctx context.Context, s zmq4.Socket, into chan<- message) {
	for {
		raw, err := s.Recv()
		if err != nil {
			return
		}
		m, err := c.decode(raw.Frames)
		if err != nil {
			continue // not ours
		}
		select {
		case into <- m:
		case <-ctx.Done():
			return
		}
	}
}

func (c *client) send(s zmq4.Socket, kind string, content map[string]any) (id string, err error) {
	frames, id, err := c.encode(kind, content)
	if err != nil {
		return "", err
	}
	return id, s.SendMulti(zmq4.NewMsgFrom(frames...))
}

// connect waits until the kernel both answers and is heard publishing: a
// subscription takes effect some time after it was made, and what is published
// before is lost.
func (c *client) connect(ctx context.Context, patience time.Duration) error {
	deadline := time.After(patience)
	var answered, heard bool
	asked := map[string]bool{}
	again := time.NewTimer(0)
	defer again.Stop()
	sent := make(chan string, 8)
	for !answered || !heard {
		select {
		case <-again.C:
			// Send blocks until there is a connection.
			go func() {
				if id, err := c.send(c.shell, "kernel_info_request", map[string]any{}); err == nil {
					sent <- id
				}
			}()
			again.Reset(500 * time.Millisecond)
		case id := <-sent:
			asked[id] = true
		case m := <-c.replies:
			answered = answered || m.kind == "kernel_info_reply"
		case <-c.published:
			heard = true
		case <-c.dead:
			return c.death()
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return fmt.Errorf("no answer within %v%s", patience, c.lastWords())
		}
	}
	return nil
}

// death is the error of a kernel that has ended by itself.
func (c *client) death() error {
	how := "exit status 0"
	if c.exit != nil {
		how = c.exit.Error()
	}
	return fmt.Errorf("the kernel died (%s)%s", how, c.lastWords())
}

func (c *client) lastWords() string {
	if text := strings.TrimSpace(c.complaint.String()); text != "" {
		return ": " + strings.Join(strings.Split(text, "\n"), "; ")
	}
	return ""
}

func (c *client) interrupt() error {
	if c.signal {
		return interruptProcess(c.cmd)
	}
	_, err := c.send(c.control, "interrupt_request", map[string]any{})
	return err
}

// shutdown asks the kernel to end, and ends it when it does not.
func (c *client) shutdown() {
	select {
	case <-c.dead:
	default:
		// In the background: a send waits for a connection.
		go c.send(c.control, "shutdown_request", map[string]any{"restart": false})
		select {
		case <-c.dead:
		case <-time.After(5 * time.Second):
		}
	}
	c.kill()
}

// tmpMark is the environment variable by which what the kernel started is known.
func tmpMark(folder string) string { return "TMPDIR=" + folder }

// kill ends the kernel with all that it started, and forgets it.
func (c *client) kill() {
	killGroup(c.cmd)
	<-c.dead
	killStrays(tmpMark(c.folder))
	c.cancel()
	for _, s := range []zmq4.Socket{c.shell, c.control, c.stdin, c.iopub} {
		s.Close()
	}
	removeSoon(c.folder)
}

// removeSoon removes a folder of processes that were told to end: they may need
// a moment, and write until then.
func removeSoon(folder string) {
	for range 50 {
		if os.RemoveAll(folder) == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// freePorts returns ports that nobody listened on a moment ago, all different.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("no free port on the loopback interface: %w", err)
		}
		defer l.Close()
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, errors.New("no TCP on the loopback interface")
		}
		ports = append(ports, addr.Port)
	}
	return ports, nil
}

// tailWriter keeps the end of what is written to it.
type tailWriter struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tailWriter) Write(p []byte) (int, error) {
	const keep = 4096
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > keep {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-keep:]...)
	}
	return len(p), nil
}

func (t *tailWriter) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
