// SPDX-License-Identifier: MPL-2.0

package torchwoodtest_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// tool returns the path of one of Torchwood's commands, which go tool builds once.
func tool(t *testing.T, name string) string {
	t.Helper()

	out, err := exec.CommandContext(t.Context(), "go", "tool", "-n", name).Output()
	if err != nil {
		t.Fatal(err)
	}

	return strings.TrimSpace(string(out))
}

// witnessName is the name of the witness's key.
const witnessName = "example.com/witness"

// startLitewitness starts a witness that knows one log, by its origin and the key of its
// checkpoints. It ends with the test. The key that is returned is the one that verifies the
// witness's cosignatures, in the form of signed notes.
//
// Litewitness takes its key from an SSH agent alone, so this is one, too: it has the one
// key, and listens on a socket in a directory of its own, since the path of a socket can
// have about 100 bytes only.
func startLitewitness(t *testing.T, origin, vkey string) (url, witnessVkey string) {
	t.Helper()

	dir, err := os.MkdirTemp("", "witness-")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { os.RemoveAll(dir) })

	db, socket := filepath.Join(dir, "db"), filepath.Join(dir, "agent")

	for _, args := range [][]string{
		{"add-log", "-db", db, "-origin", origin},
		{"add-key", "-db", db, "-origin", origin, "-key", vkey},
	} {
		if out, err := exec.CommandContext(t.Context(), tool(t, "witnessctl"), args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}

	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	signer, err := torchwood.NewCosignatureSigner(witnessName, private)
	if err != nil {
		t.Fatal(err)
	}

	fingerprint := serveAgent(t, socket, private)

	// Litewitness does not say which port it took, so it is told one that was free.
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	address := free.Addr().String()

	if err := free.Close(); err != nil {
		t.Fatal(err)
	}

	// The process has to be gone before its directory.
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, tool(t, "litewitness"), "-name", witnessName, "-db", db, "-ssh-agent", socket, "-key",
		fingerprint, "-listen", address)

	var log bytes.Buffer

	cmd.Stdout, cmd.Stderr = &log, &log

	if err := cmd.Start(); err != nil {
		stop()
		t.Fatal(err)
	}

	exited := make(chan struct{})

	go func() {
		_ = cmd.Wait()

		close(exited)
	}()

	t.Cleanup(func() {
		stop()
		<-exited
	})

	for range 1000 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()

			return "http://" + address, signer.Verifier().String()
		}

		select {
		case <-exited:
			t.Fatalf("litewitness ended:\n%s", log.String())
		case <-time.After(10 * time.Millisecond):
		}
	}

	t.Fatal("litewitness does not answer")

	return "", ""
}

// serveAgent is an SSH agent that has one key. It returns the key's fingerprint.
func serveAgent(t *testing.T, socket string, private ed25519.PrivateKey) (fingerprint string) {
	t.Helper()

	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}

	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { listener.Close() })

	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}

			go func() {
				defer c.Close()

				_ = agent.ServeAgent(keys, c)
			}()
		}
	}()

	key, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}

	return ssh.FingerprintSHA256(key)
}

// addCheckpoint asks a witness for its cosignature, as in c2sp.org/tlog-witness. The path
// leads from the size that the witness knows to that of the checkpoint.
func addCheckpoint(
	t *testing.T, url string, old int64, path tlog.TreeProof, checkpoint []byte,
) (status int, answer string) {
	t.Helper()

	var body strings.Builder

	fmt.Fprintf(&body, "old %d\n", old)

	for _, h := range path {
		fmt.Fprintln(&body, h)
	}

	fmt.Fprintf(&body, "\n%s", checkpoint)

	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/add-checkpoint",
		strings.NewReader(body.String()))
	if err != nil {
		t.Fatal(err)
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()

	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}

	return response.StatusCode, string(data)
}

// consistency is the path between two sizes of a log, by Torchwood from its tiles.
func (l *log) consistency(t *testing.T, old int64, c torchwood.Checkpoint) tlog.TreeProof {
	t.Helper()

	path, err := tlog.ProveTree(c.N, old, torchwood.TileHashReaderWithContext(t.Context(), c.Tree, tilesOf{l}))
	if err != nil {
		t.Fatal(err)
	}

	return path
}

// tilesOf reads the tiles of a log without HTTP.
type tilesOf struct{ *log }

func (l tilesOf) ReadEndpoint(ctx context.Context, path string) ([]byte, error) {
	return l.Read(ctx, path, 0)
}

func (l tilesOf) ReadTiles(ctx context.Context, tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte

	for _, tile := range tiles {
		data, err := l.Read(ctx, torchwood.TilePath(tile), 0)
		if err != nil {
			return nil, err
		}

		all = append(all, data)
	}

	return all, nil
}

func (tilesOf) SaveTiles([]tlog.Tile, [][]byte) {}

// public is a key that only verifies, which is all that is known of a witness's.
type public struct{ ed25519.PublicKey }

func (p public) Public() crypto.PublicKey { return p.PublicKey }

func (public) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the private key is the witness's")
}

// cosignatures verifies those of a key in the form of signed notes, by Torchwood, which
// reads no such keys itself.
func cosignatures(t *testing.T, vkey string) note.Verifier {
	t.Helper()

	parts := strings.SplitN(vkey, "+", 3)

	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != 4 {
		t.Fatalf("%s is no key of a witness: %v", vkey, err)
	}

	s, err := torchwood.NewCosignatureSigner(parts[0], public{key[1:]})
	if err != nil || s.Verifier().String() != vkey {
		t.Fatal(vkey, err)
	}

	return s.Verifier()
}

// TestLitewitness: a witness cosigns the checkpoints of a log that grows, and of no other.
func TestLitewitness(t *testing.T) {
	t.Parallel()

	l := newLog(t, 1)

	first, err := l.checkpoint(t, l.objects["checkpoint"])
	if err != nil {
		t.Fatal(err)
	}

	url, vkey := startLitewitness(t, first.Origin, l.vkey)
	witness := cosignatures(t, vkey)
	known := int64(0)

	// The checkpoint of an empty log has an extension line. It is cosigned as well.
	for _, size := range []int{0, 1, 2, 255, 256, 257, 600} {
		if size > 1 {
			l.grow(t, size)
		}

		text := l.objects[fmt.Sprintf("checkpoints/%08d", size)]

		c, err := l.checkpoint(t, text)
		if err != nil {
			t.Fatal(err)
		}

		var path tlog.TreeProof
		if known > 0 {
			path = l.consistency(t, known, c)
		}

		if known > 0 {
			if status, answer := addCheckpoint(t, url, known-1, path, text); status != http.StatusConflict ||
				answer != fmt.Sprintln(known) {
				t.Errorf("%d manifests, an older size: %d, %q", size, status, answer)
			}

			if status, answer := addCheckpoint(t, url, known, append(path, tlog.Hash{}),
				text); status != http.StatusUnprocessableEntity {
				t.Errorf("%d manifests, another path: %d, %q", size, status, answer)
			}
		}

		status, line := addCheckpoint(t, url, known, path, text)
		if status != http.StatusOK {
			t.Fatalf("%d manifests: %d, %q", size, status, line)
		}

		known = int64(size)

		n, err := note.Open(append(bytes.Clone(text), line...), note.VerifierList(l.verifier, witness))
		if err != nil || len(n.Sigs) != 2 || n.Sigs[1].Name != witnessName {
			t.Fatalf("%d manifests: %+v, %v", size, n, err)
		}

		at, err := torchwood.CosignatureTimestamp(n.Sigs[1])
		if err != nil || time.Since(time.Unix(at, 0)).Abs() > time.Minute {
			t.Errorf("it was cosigned at %d, %v", at, err)
		}
	}

	other := newLog(t, 1)
	if status, answer := addCheckpoint(t, url, 0, nil, other.objects["checkpoint"]); status != http.StatusForbidden {
		t.Errorf("a log that it does not know: %d, %q", status, answer)
	}

	// What the witness has added is no reason for us to refuse a checkpoint.
	_, err = note.Open(l.objects["checkpoint"], note.VerifierList(witness))
	if unverified := (*note.UnverifiedNoteError)(nil); !errors.As(err, &unverified) {
		t.Errorf("the archive's own copy: %v", err)
	}
}
