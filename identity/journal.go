package identity

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// journal remembers which tokens were used until they have expired, so that each works once, also after a crash.
//
// Its file has fixed records, appended; a use counts once its record is on disk. Uses that come while a write runs share the next one. What
// was not wholly written at the end of the file is dropped on opening: nobody was told that it counted. When most records have expired, or
// after a failed write, the file is written anew beside and renamed.
type journal struct {
	path string
	max  int
	now  func() time.Time

	mu        sync.Mutex
	used      map[useKey]int64 // guarded by mu: when it may be forgotten, seconds since 1970
	of        map[[16]byte]int // guarded by mu: how many of used are of a resource
	pending   *journalBatch    // guarded by mu: what the next write takes
	writing   bool             // guarded by mu: a goroutine runs flush
	closed    bool             // guarded by mu
	idle      *sync.Cond       // of mu: writing became false
	file      *os.File         // owned by flush
	records   int              // owned by flush: in the file
	broken    bool             // owned by flush: the file's end is not known
	rewriteAt int              // owned by flush: how many records are too many
}

// useKey is hashes of resource and token id, 128 bits each: the ids themselves may be personal data.
type useKey struct{ resource, token [16]byte }

type journalBatch struct {
	records []byte
	done    chan struct{}
	err     error // set before done is closed
}

const (
	// journalRecord is resource, token, expiry (8 bytes, seconds) and a checksum (4).
	journalRecord = 16 + 16 + 8 + 4
	// journalSlack is how many records a file may get before it is written anew, besides twice those that were live the last time.
	journalSlack = 4096
)

var errJournalClosed = errors.New("the journal is closed")

func openJournal(path string, most int, now func() time.Time) (*journal, error) {
	j := &journal{path: path, max: most, now: now, used: map[useKey]int64{}, of: map[[16]byte]int{}}
	j.idle = sync.NewCond(&j.mu)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal of used tokens: %w", err)
	}
	j.file = file
	if err := errors.Join(j.read(), syncFolder(filepath.Dir(path))); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("read journal of used tokens %s: %w", path, err)
	}
	return j, nil
}

// read takes up what the file says and cuts off a torn end.
func (j *journal) read() error {
	content, err := io.ReadAll(j.file)
	if err != nil {
		return err
	}
	whole := len(content) / journalRecord
	last := 0 // records up to the last good one
	bad := -1
	for i := range whole {
		record := content[i*journalRecord : (i+1)*journalRecord]
		if !goodRecord(record) {
			if bad < 0 {
				bad = i
			}
			continue
		}
		last = i + 1
		j.remember(record)
	}
	if bad >= 0 && bad < last {
		return fmt.Errorf("record %d is damaged, with good ones behind it, so a used token may be forgotten; "+
			"move the file away once the tokens of before have expired (max_guest_lifetime and twice clock_skew)", bad)
	}
	end := int64(last) * journalRecord
	if end < int64(len(content)) {
		if err := errors.Join(j.file.Truncate(end), j.file.Sync()); err != nil {
			return fmt.Errorf("cut off torn end: %w", err)
		}
	}
	j.records, j.rewriteAt = last, 2*len(j.used)+journalSlack
	_, err = j.file.Seek(end, io.SeekStart)
	return err
}

func (j *journal) remember(record []byte) {
	key := useKey{[16]byte(record[:16]), [16]byte(record[16:32])}
	forget := int64(binary.BigEndian.Uint64(record[32:40]))
	if forget <= j.now().Unix() {
		return
	}
	if _, twice := j.used[key]; !twice {
		j.of[key.resource]++
	}
	j.used[key] = forget
}

func appendRecord(to []byte, key useKey, forget int64) []byte {
	start := len(to)
	to = append(to, key.resource[:]...)
	to = append(to, key.token[:]...)
	to = binary.BigEndian.AppendUint64(to, uint64(forget))
	return binary.BigEndian.AppendUint32(to, crc32.ChecksumIEEE(to[start:]))
}

func goodRecord(record []byte) bool {
	return crc32.ChecksumIEEE(record[:journalRecord-4]) == binary.BigEndian.Uint32(record[journalRecord-4:])
}

func newUseKey(resource, token string) useKey {
	r, t := sha256.Sum256([]byte(resource)), sha256.Sum256([]byte(token))
	return useKey{[16]byte(r[:16]), [16]byte(t[:16])}
}

// Use marks a token as used until forget. It returns when that is on disk, or *Error: TokenReplayed, or JournalUnavailable, after which the
// token may or may not work again. If ctx ends first the token is used all the same.
func (j *journal) Use(ctx context.Context, resource, token string, forget time.Time) error {
	key, until := newUseKey(resource, token), forget.Unix()+1
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return refuse(JournalUnavailable, "the service is stopping; try again")
	}
	if old, used := j.used[key]; used && old > j.now().Unix() {
		j.mu.Unlock()
		return refuse(TokenReplayed, "the token was used before; each works once, so get a new one")
	}
	if !j.room(key.resource) {
		j.mu.Unlock()
		return refuse(JournalUnavailable, "too many tokens were used in a short time; try again in some minutes")
	}
	if _, expired := j.used[key]; !expired {
		j.of[key.resource]++
	}
	j.used[key] = until
	if j.pending == nil {
		j.pending = &journalBatch{done: make(chan struct{})}
	}
	batch := j.pending
	batch.records = appendRecord(batch.records, key, until)
	if !j.writing {
		j.writing = true
		go j.flush()
	}
	j.mu.Unlock()
	select {
	case <-ctx.Done():
		return fmt.Errorf("write down use of token: %w", ctx.Err())
	case <-batch.done:
	}
	if batch.err != nil {
		return refuse(JournalUnavailable, "the use of the token can't be written down just now; get a new one and try again")
	}
	return nil
}

// room tells whether one more fits; it forgets what has expired if need be. The caller holds mu.
func (j *journal) room(resource [16]byte) bool {
	fits := func() bool { return len(j.used) < j.max && j.of[resource] < j.max/4 }
	if !fits() {
		j.forget()
	}
	return fits()
}

// forget drops what has expired. The caller holds mu.
func (j *journal) forget() {
	now := j.now().Unix()
	for key, until := range j.used {
		if until > now {
			continue
		}
		delete(j.used, key)
		if j.of[key.resource]--; j.of[key.resource] == 0 {
			delete(j.of, key.resource)
		}
	}
}

// flush writes batches until none is pending.
func (j *journal) flush() {
	for {
		j.mu.Lock()
		batch := j.pending
		j.pending = nil
		if batch == nil {
			j.writing = false
			j.idle.Broadcast()
			j.mu.Unlock()
			return
		}
		var anew []byte
		if j.broken || j.records > j.rewriteAt {
			j.forget()
			anew = make([]byte, 0, len(j.used)*journalRecord)
			for key, until := range j.used { // has the batch's too
				anew = appendRecord(anew, key, until)
			}
		}
		j.mu.Unlock()
		if anew != nil {
			batch.err = j.rewrite(anew)
		} else {
			batch.err = j.append(batch.records)
		}
		close(batch.done)
	}
}

func (j *journal) append(records []byte) error {
	_, err := j.file.Write(records)
	if err = errors.Join(err, j.file.Sync()); err != nil {
		// Neither where the file ends nor, after a failed sync, what of it is on disk is known now.
		j.broken = true
		return fmt.Errorf("append to journal of used tokens: %w", err)
	}
	j.records += len(records) / journalRecord
	return nil
}

// rewrite puts a new file in the old one's place.
func (j *journal) rewrite(records []byte) error {
	j.broken = true
	tmp, err := os.OpenFile(j.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write journal of used tokens anew: %w", err)
	}
	_, err = tmp.Write(records)
	if err = errors.Join(err, tmp.Sync()); err == nil {
		err = os.Rename(tmp.Name(), j.path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(j.path))
	}
	if err != nil {
		_ = tmp.Close()
		return fmt.Errorf("write journal of used tokens anew: %w", err)
	}
	_ = j.file.Close()
	j.file, j.records, j.broken = tmp, len(records)/journalRecord, false
	j.rewriteAt = 2*j.records + journalSlack
	return nil
}

// Close waits for what is being written.
func (j *journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return errJournalClosed
	}
	j.closed = true
	for j.writing {
		j.idle.Wait()
	}
	return j.file.Close()
}
