package notebook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// message is one message of the Jupyter protocol, version 5.
type message struct {
	kind    string // execute_request, stream, status, ...
	id      string
	parent  string // the id of the request that this one is about
	content map[string]any
}

type header struct {
	ID       string `json:"msg_id"`
	Session  string `json:"session"`
	Username string `json:"username"`
	Date     string `json:"date"`
	Type     string `json:"msg_type"`
	Version  string `json:"version"`
}

const (
	protocolVersion = "5.3"
	delimiter       = "<IDS|MSG>"
)

func newUUID() string {
	b := make([]byte, 16)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// codec signs and checks messages with the key of the connection.
type codec struct {
	key     []byte
	session string
}

func (c codec) sign(parts [][]byte) []byte {
	m := hmac.New(sha256.New, c.key)
	for _, p := range parts {
		m.Write(p)
	}
	return []byte(hex.EncodeToString(m.Sum(nil)))
}

// encode makes the frames of a request and returns them with its id.
func (c codec) encode(kind string, content map[string]any) (frames [][]byte, id string, err error) {
	id = newUUID()
	head, err := json.Marshal(header{ID: id, Session: c.session, Username: "iimm",
		Date: time.Now().UTC().Format(time.RFC3339Nano), Type: kind, Version: protocolVersion})
	if err != nil {
		return nil, "", err
	}
	body, err := json.Marshal(content)
	if err != nil {
		return nil, "", err
	}
	parts := [][]byte{head, []byte("{}"), []byte("{}"), body}
	return append([][]byte{[]byte(delimiter), c.sign(parts)}, parts...), id, nil
}

var errSignature = errors.New("message with a wrong signature")

// decode reads the frames of a message; those before the delimiter are the
// routing of the socket.
func (c codec) decode(frames [][]byte) (message, error) {
	start := -1
	for i, f := range frames {
		if string(f) == delimiter {
			start = i + 1
			break
		}
	}
	if start < 0 || len(frames) < start+5 {
		return message{}, fmt.Errorf("message of %d frames is no Jupyter message", len(frames))
	}
	parts := frames[start+1 : start+5]
	if len(c.key) > 0 && !hmac.Equal(frames[start], c.sign(parts)) {
		return message{}, errSignature
	}
	var head, parent header
	m := message{}
	if err := json.Unmarshal(parts[0], &head); err != nil {
		return message{}, fmt.Errorf("header: %w", err)
	}
	// The parent of a message that answers nothing is {} or null.
	if err := json.Unmarshal(parts[1], &parent); err != nil {
		return message{}, fmt.Errorf("parent header: %w", err)
	}
	if err := json.Unmarshal(parts[3], &m.content); err != nil {
		return message{}, fmt.Errorf("content of %s: %w", head.Type, err)
	}
	m.kind, m.id, m.parent = head.Type, head.ID, parent.ID
	return m, nil
}

// str returns a string of a message's content, "" when it is not there.
func (m message) str(key string) string {
	s, _ := m.content[key].(string)
	return s
}

// object returns an object of a message's content, nil when it is not there.
func (m message) object(key string) map[string]any {
	o, _ := m.content[key].(map[string]any)
	return o
}
