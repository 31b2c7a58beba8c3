// SPDX-License-Identifier: MPL-2.0

package upcloud

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

const (
	// runBytes is how much of a log is held in memory and sorted at once.
	runBytes = 4 << 20
	// mergeBytes is how much of all runs together is held in memory while they are
	// merged, apart from the records themselves.
	mergeBytes = 4 << 20
)

// item is a record with what it is sorted by: its time, then its id.
type item struct {
	at  time.Time
	id  []byte
	raw json.RawMessage
}

// spool holds records until they are wanted in order. As long as they have room in
// memory no file is made. Else they are written to a file in sorted runs, which the
// system takes away when the process ends, wherever it can.
type spool struct {
	arena []byte // records, each followed by its id
	spare []byte // what the arena was before keep
	keys  []key
	file  *os.File
	size  int64 // of the file
	runs  []run
}

// key says where a record is in the arena.
type key struct {
	sec      int64
	nsec     int32
	at, size int
	idSize   int
}

// run is a part of the file that is sorted.
type run struct {
	first    item // its raw is nil
	from, to int64
}

func (s *spool) add(at time.Time, id, raw []byte) {
	s.keys = append(s.keys, key{
		sec: at.Unix(), nsec: int32(at.Nanosecond()), //nolint:gosec // It is below a billion.
		at: len(s.arena), size: len(raw), idSize: len(id),
	})
	s.arena = append(append(s.arena, raw...), id...)
}

// full says that there is as much in memory as should be.
func (s *spool) full() bool { return len(s.arena)+len(s.keys)*64 >= runBytes }

func (s *spool) id(k key) []byte {
	from := k.at + k.size

	return s.arena[from : from+k.idSize]
}

func (s *spool) raw(k key) []byte { return s.arena[k.at : k.at+k.size] }

func (s *spool) compare(a, b key) int {
	if c := cmp.Or(cmp.Compare(a.sec, b.sec), cmp.Compare(a.nsec, b.nsec)); c != 0 {
		return c
	}

	return bytes.Compare(s.id(a), s.id(b))
}

// oldestFirst says whether what is in memory came oldest first, but for a few records
// that are hardly late.
func (s *spool) oldestFirst(late time.Duration) bool {
	newest, descents := int64(0), 0

	for i := range s.keys {
		if i == 0 || s.keys[i].sec > newest {
			newest = s.keys[i].sec
		}

		if i > 0 && s.compare(s.keys[i-1], s.keys[i]) > 0 {
			descents++

			if newest-s.keys[i].sec > int64(late/time.Second) {
				return false
			}
		}
	}

	return descents*100 <= len(s.keys)
}

// sort puts what is in memory in order. What came in order, or in the opposite one, is
// not compared much.
func (s *spool) sort() {
	if len(s.keys) > 1 && s.compare(s.keys[0], s.keys[len(s.keys)-1]) > 0 {
		slices.Reverse(s.keys)
	}

	if !slices.IsSortedFunc(s.keys, s.compare) {
		slices.SortFunc(s.keys, s.compare)
	}
}

// keep leaves only the records from the n-th on in memory.
func (s *spool) keep(n int) {
	old := spool{arena: s.arena, keys: s.keys[n:]}
	s.arena, s.spare, s.keys = s.spare[:0], s.arena, s.keys[:0:n]

	for _, k := range old.keys {
		s.add(time.Unix(k.sec, int64(k.nsec)), old.id(k), old.raw(k))
	}
}

// spill writes what is in memory to the file, as a run.
func (s *spool) spill() error {
	if len(s.keys) == 0 {
		return nil
	}

	if s.file == nil {
		if err := s.create(); err != nil {
			return err
		}
	}

	s.sort()

	w := bufio.NewWriterSize(io.NewOffsetWriter(s.file, s.size), 64<<10)
	r := run{first: s.item(s.keys[0], false), from: s.size}
	r.first.id = bytes.Clone(r.first.id)

	for _, k := range s.keys {
		var head [headSize]byte

		binary.LittleEndian.PutUint64(head[:], uint64(k.sec))      //nolint:gosec // Read back the same way.
		binary.LittleEndian.PutUint32(head[8:], uint32(k.nsec))    //nolint:gosec // As above.
		binary.LittleEndian.PutUint32(head[12:], uint32(k.idSize)) //nolint:gosec // Below recordMax.
		binary.LittleEndian.PutUint32(head[16:], uint32(k.size))   //nolint:gosec // As above.
		s.size += int64(headSize + k.idSize + k.size)

		for _, part := range [][]byte{head[:], s.id(k), s.raw(k)} {
			if _, err := w.Write(part); err != nil {
				return fmt.Errorf("write a temporary file: %w", err)
			}
		}
	}

	if err := w.Flush(); err != nil {
		return fmt.Errorf("write a temporary file: %w", err)
	}

	r.to = s.size
	s.runs = append(s.runs, r)
	s.keys, s.arena = s.keys[:0], s.arena[:0]

	if cap(s.arena) > 2*runBytes {
		s.arena = nil
	}

	return nil
}

// headSize is that of what precedes a record in the file: its time, and the sizes of its
// id and of itself.
const headSize = 8 + 4 + 4 + 4

// create makes the file, which only its owner may read, and takes its name away at once
// where the system lets an open file have none.
func (s *spool) create() error {
	f, err := os.CreateTemp("", "auditlog-*.tmp") //nolint:forbidigo // Nothing that is to last: it is gone when the reading ends.
	if err != nil {
		return fmt.Errorf("create a temporary file: %w", err)
	}

	s.file = f
	_ = os.Remove(f.Name()) //nolint:forbidigo // As above. Where this fails, close does it.

	return nil
}

// close gives everything up.
func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name()) //nolint:forbidigo // As in create; it is gone already where the system lets it.
	}

	*s = spool{}
}

// item returns a record. Where it is no clone, it has no raw and is overwritten later.
func (s *spool) item(k key, clone bool) item {
	i := item{at: time.Unix(k.sec, int64(k.nsec)).UTC(), id: s.id(k)}
	if clone {
		both := bytes.Clone(s.arena[k.at : k.at+k.size+k.idSize])
		i.raw, i.id = both[:k.size:k.size], both[k.size:]
	}

	return i
}

// source gives items in order, and io.EOF behind the last one. What it gives is not
// overwritten later.
type source interface {
	next() (item, error)
}

// first returns the first n records in memory, which sort has put in order. Where only
// their keys are wanted they have no raw.
func (s *spool) first(n int, onlyKeys bool) source {
	return &held{spool: s, keys: s.keys[:n], onlyKeys: onlyKeys}
}

// held are records in memory.
type held struct {
	spool    *spool
	keys     []key
	onlyKeys bool
}

func (h *held) next() (item, error) {
	if len(h.keys) == 0 {
		return item{}, io.EOF
	}

	k := h.keys[0]
	h.keys = h.keys[1:]

	return h.spool.item(k, !h.onlyKeys), nil
}

// all returns everything in order, or, where only keys are wanted, without any raw.
func (s *spool) all(onlyKeys bool) source {
	s.sort()

	if len(s.runs) == 0 {
		return s.first(len(s.keys), onlyKeys)
	}

	m := &merge{}
	buffer := min(max(mergeBytes/len(s.runs), 4<<10), 256<<10)

	for _, r := range s.runs {
		m.heads = append(m.heads, head{item: r.first, source: &written{
			file: io.NewSectionReader(s.file, r.from, r.to-r.from), buffer: buffer, onlyKeys: onlyKeys,
		}})
	}

	if len(s.keys) > 0 {
		m.heads = append(m.heads, head{item: s.item(s.keys[0], false), source: s.first(len(s.keys), onlyKeys)})
	}

	heap.Init(m)

	return m
}

// written are the records of a run. Nothing is read before the first one is wanted, so
// that runs which follow each other in time are never in memory together.
type written struct {
	file   io.Reader
	buffer int
	r      *bufio.Reader
	// onlyKeys skips the records.
	onlyKeys bool
}

func (w *written) next() (item, error) {
	if w.r == nil {
		w.r = bufio.NewReaderSize(w.file, w.buffer)
	}

	var head [headSize]byte

	if _, err := io.ReadFull(w.r, head[:]); err != nil {
		if err == io.EOF {
			w.r = nil

			return item{}, io.EOF
		}

		return item{}, fmt.Errorf("read a temporary file: %w", err)
	}

	idSize, size := binary.LittleEndian.Uint32(head[12:]), binary.LittleEndian.Uint32(head[16:])
	skip := 0

	if w.onlyKeys {
		skip, size = int(size), 0
	}

	both := make([]byte, idSize+size)

	_, err := io.ReadFull(w.r, both)
	if err == nil {
		_, err = w.r.Discard(skip)
	}

	if err != nil {
		return item{}, fmt.Errorf("read a temporary file: %w", err)
	}

	return item{
		at: time.Unix(int64(binary.LittleEndian.Uint64(head[:])), //nolint:gosec // As it was written.
			int64(binary.LittleEndian.Uint32(head[8:]))).UTC(),
		id: both[:idSize], raw: both[idSize:],
	}, nil
}

// merge gives the items of several sources in order.
type merge struct{ heads []head }

// head is the next item of a source; before the source was read, one of the same key.
type head struct {
	item   item
	source source
	read   bool
}

func (m *merge) Len() int { return len(m.heads) }

func (m *merge) Less(i, j int) bool { return m.heads[i].item.compare(&m.heads[j].item) < 0 }
func (m *merge) Swap(i, j int)      { m.heads[i], m.heads[j] = m.heads[j], m.heads[i] }

// Push implements heap.Interface. Nothing is ever pushed.
func (m *merge) Push(any) {}

// Pop implements heap.Interface.
func (m *merge) Pop() any {
	last := len(m.heads) - 1
	m.heads = m.heads[:last]

	return nil
}

func (i *item) compare(o *item) int {
	return cmp.Or(i.at.Compare(o.at), bytes.Compare(i.id, o.id))
}

func (m *merge) next() (item, error) {
	if len(m.heads) == 0 {
		return item{}, io.EOF
	}

	top := &m.heads[0]

	if !top.read {
		first, err := top.source.next()
		if err != nil {
			return item{}, err
		}

		top.item, top.read = first, true
	}

	out := top.item

	following, err := top.source.next()

	switch {
	case errors.Is(err, io.EOF):
		heap.Remove(m, 0)
	case err == nil:
		top.item = following
		heap.Fix(m, 0)
	default:
		return item{}, err
	}

	return out, nil
}
