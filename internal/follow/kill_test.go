// SPDX-License-Identifier: MPL-2.0

package follow_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/durabletest"
	"github.com/auditlogs/terraform-provider-audit/internal/follow"
	"github.com/auditlogs/terraform-provider-audit/internal/follow/followtest"
	"github.com/auditlogs/terraform-provider-audit/internal/follow/sink"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

var errCrash = errors.New("the process was killed")

// mortal is an output whose process is killed at a chosen step, before or after it: from then on nothing happens any
// more. It remembers what was taken since the state was saved.
type mortal struct {
	follow.Output

	steps, at int
	after     bool
	dead      bool
	// unsaved are the ids of what was taken since then, and mayRepeat those that a kill has left unsaved.
	unsaved   []string
	mayRepeat map[string]bool
}

func (m *mortal) step(do func() error) error {
	if m.dead {
		return errCrash
	}

	m.steps++
	if m.steps != m.at {
		return do()
	}

	if m.after {
		_ = do()
	}

	m.dead = true

	return errCrash
}

func (m *mortal) Load(ctx context.Context) (state []byte, err error) {
	err = m.step(func() (err error) {
		state, err = m.Output.Load(ctx)

		return err
	})

	return state, err
}

func (m *mortal) Take(ctx context.Context, entries []auditlog.Entry) error {
	return m.step(func() error {
		for i := range entries {
			m.unsaved = append(m.unsaved, entries[i].ID)
		}

		err := m.Output.Take(ctx, entries)

		// It may have been taken, and only the answer got lost.
		for i := 0; err != nil && i < len(entries); i++ {
			m.mayRepeat[entries[i].ID] = true
		}

		return err
	})
}

func (m *mortal) Save(ctx context.Context, state []byte) error {
	return m.step(func() error {
		err := m.Output.Save(ctx, state)
		if err == nil {
			m.unsaved = nil
		}

		return err
	})
}

func (m *mortal) Undo() bool {
	if m.dead {
		return false
	}

	return m.Output.Undo()
}

// end is the end of the process, killed or not.
func (m *mortal) end() {
	_ = m.Close() // What a killed process leaves, its descriptors and locks aside, stays.

	for _, id := range m.unsaved {
		m.mayRepeat[id] = true
	}

	m.unsaved = nil
}

// lockedSource is drawn from by servers as well.
type lockedSource struct {
	mu     sync.Mutex
	source rand.Source
}

func (l *lockedSource) Uint64() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.source.Uint64()
}

// receiver is what the entries end in.
type receiver struct {
	// open opens the output of one process. The fault strikes the file system.
	open func(fault durabletest.Fault) follow.Output
	// taken are the ids of what has arrived.
	taken func() []string
	// exactly says that nothing may come twice.
	exactly bool
}

// receivers are one of each kind. Servers fail at random as well.
func receivers(t *testing.T, random *rand.Rand) map[string]receiver {
	t.Helper()

	state := func(name string) string { return filepath.Join(t.TempDir(), name) }
	all := map[string]receiver{}

	m, path := &memory{}, state("memory")
	all["memory"] = receiver{
		open:  func(fault durabletest.Fault) follow.Output { return keepOn(t, m, path, fault) },
		taken: func() []string { return m.ids },
	}

	directory := state("files")
	all["file"] = receiver{
		open: func(fault durabletest.Fault) follow.Output {
			d, err := sink.OpenDirectory(directory, sink.Encoding{}, durable.Options{System: durabletest.New(fault)})
			if err != nil {
				t.Fatal(err)
			}

			return d.RotateAfter(2000)
		},
		taken:   func() []string { return idsIn(t, directory) },
		exactly: true,
	}

	otlp := newCollector(t, random)
	otlpPath := state("otlp")
	all["otlp"] = receiver{
		open: func(fault durabletest.Fault) follow.Output {
			s, err := sink.NewOTLP(t.Context(), sink.OTLPOptions{Target: target(t, "otlp+"+otlp.url), Clock: time.Now})
			if err != nil {
				t.Fatal(err)
			}

			return keepOn(t, s, otlpPath, fault)
		},
		taken: otlp.taken,
	}

	syslog := followtest.ServeSyslog(t)
	syslog.Break = func() bool { return random.IntN(4) == 0 }
	syslogPath := state("syslog")
	all["syslog"] = receiver{
		open: func(fault durabletest.Fault) follow.Output {
			s, err := sink.NewSyslog(sink.SyslogOptions{Target: target(t, "syslog+tcp://"+syslog.Address)})
			if err != nil {
				t.Fatal(err)
			}

			return keepOn(t, s, syslogPath, fault)
		},
		taken: func() []string { return idsOf(t, []byte(strings.Join(syslog.Texts(), "\n"))) },
	}

	return all
}

func keepOn(t *testing.T, s sink.Sink, path string, fault durabletest.Fault) follow.Output {
	t.Helper()

	k, err := sink.Keep(s, path, durable.Options{System: durabletest.New(fault)})
	if err != nil {
		t.Fatal(err)
	}

	return k
}

func target(t *testing.T, text string) sink.Target {
	t.Helper()

	to, err := sink.ParseTarget(text)
	if err != nil {
		t.Fatal(err)
	}

	return to
}

// Processes are killed at random moments while logs grow: between two calls of the output, and at any step of the file
// system. Nothing is lost. What comes twice was taken by a process that was killed before it could write that down, and
// in files nothing does.
func TestKilledStreamsLoseNothing(t *testing.T) {
	t.Parallel()

	worlds := 8
	if raceflag.Enabled {
		worlds = 3
	}

	var (
		mu            sync.Mutex
		kills, repeat int
	)

	t.Cleanup(func() {
		t.Logf("%d processes were killed; %d entries came twice", kills, repeat)

		if kills < 40*worlds || repeat == 0 {
			t.Error("the test has lost its grip")
		}
	})

	for seed := range worlds {
		for _, name := range services() {
			t.Run(fmt.Sprintf("%s %d", name, seed), func(t *testing.T) {
				t.Parallel()

				random := rand.New(&lockedSource{source: rand.NewPCG(uint64(seed), 2)})

				for kind, r := range receivers(t, random) {
					k, twice := killAtRandom(t, newWorld(t, name, uint64(seed)), random, kind, r)

					mu.Lock()
					kills, repeat = kills+k, repeat+twice
					mu.Unlock()
				}
			})
		}
	}
}

func killAtRandom(t *testing.T, w *world, random *rand.Rand, kind string, r receiver) (kills, repeats int) {
	t.Helper()

	mayRepeat := map[string]bool{}

	for round := range 6 {
		w.happen(1+random.IntN(30), w.clock().Add(-time.Duration(random.IntN(120))*time.Second))
		w.pass(time.Duration(1+random.IntN(3)) * time.Minute)
		w.publish()

		// Steps of the output or, half of the time, of the file system.
		at, after := 1+random.IntN(6), random.IntN(2) == 0
		atStep := -1

		if random.IntN(2) == 0 {
			at, atStep = 0, random.IntN(40)
		}

		struck := false
		m := &mortal{at: at, after: after, mayRepeat: mayRepeat}
		m.Output = r.open(func(n int, _ durabletest.Step, done bool) error {
			if struck || n == atStep && done == after {
				struck, m.dead = true, true

				return errCrash
			}

			return nil
		})

		err := follow.New(w.options(m)).WithoutWaits().Run(t.Context())
		if m.end(); m.dead {
			kills++
		} else if taking := (*sink.Error)(nil); err != nil && !errors.As(err, &taking) {
			t.Fatalf("%s, round %d: %v", kind, round, err)
		}
	}

	w.pass(time.Hour)
	w.publish()

	for attempt := 0; ; attempt++ {
		m := &mortal{mayRepeat: mayRepeat}
		m.Output = r.open(nil)
		err := follow.New(w.options(m)).WithoutWaits().Run(t.Context())

		if m.end(); err == nil {
			break
		}

		if attempt > 50 {
			t.Fatalf("%s: %v", kind, err)
		}
	}

	taken := r.taken()
	seen := map[string]bool{}

	for _, id := range taken {
		if seen[id] {
			repeats++
		}

		seen[id] = true
	}

	if r.exactly {
		mayRepeat = nil
	}

	w.checkTaken(taken, mayRepeat)

	return kills, repeats
}

// collectorServer takes log records by OTLP, and fails at random: before it has taken them and after it has.
type collectorServer struct {
	url string
	mu  sync.Mutex
	ids []string
}

func newCollector(t *testing.T, random *rand.Rand) *collectorServer {
	t.Helper()

	c := &collectorServer{}

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := followtest.ReadOTLP(t, r)

		c.mu.Lock()
		defer c.mu.Unlock()

		fate := random.IntN(10)
		if fate == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)

			return
		}

		for _, record := range followtest.RecordsOf(request) {
			c.ids = append(c.ids, followtest.Attribute(record, "log.record.uid"))
		}

		switch fate {
		case 1: // It has taken everything, and nobody hears of it.
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.(*net.TCPConn).SetLinger(0)
				_ = conn.Close()
			}
		case 2:
			w.Header().Set("Content-Type", "application/x-protobuf")

			body, _ := proto.Marshal(&collector.ExportLogsServiceResponse{
				PartialSuccess: &collector.ExportLogsPartialSuccess{RejectedLogRecords: 1, ErrorMessage: "no"},
			})
			_, _ = w.Write(body)
		}
	}))
	t.Cleanup(server.Close)

	c.url = server.URL

	return c
}

func (c *collectorServer) taken() []string {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.ids
}
