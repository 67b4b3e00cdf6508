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

// journal remembers which tokens were used until they have expired, so that each works once, also after a crash; another one of its kind
// remembers which may not be used any more (revoke).
//
// Its file has fixed records, appended; a use counts once its record is on disk. Uses that come while a write runs share the next one. A last
// write that is not wholly there is dropped on opening, from its first missing record on: nobody was told that it counted. Damage before it is
// refused. When most records have expired, or after a failed write, the file is written anew beside and renamed.
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

// journalUse is what a record says.
type journalUse struct {
	key   useKey
	until int64 // may be forgotten then, seconds since 1970
}

type journalBatch struct {
	uses []journalUse
	done chan struct{}
	err  error // set before done is closed
}

const (
	// journalRecord is resource, token, until (8 bytes), the number of the record that its write began with (4) and a checksum (4).
	journalRecord = 16 + 16 + 8 + 4 + 4
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
	good, err := goodRecords(content)
	if err != nil {
		return err
	}
	for i := range good {
		j.remember(readRecord(content[i*journalRecord:]))
	}
	end := int64(good) * journalRecord
	if end < int64(len(content)) {
		if err := errors.Join(j.file.Truncate(end), j.file.Sync()); err != nil {
			return fmt.Errorf("cut off torn end: %w", err)
		}
	}
	j.records, j.rewriteAt = good, 2*len(j.used)+journalSlack
	_, err = j.file.Seek(end, io.SeekStart)
	return err
}

// goodRecords counts the records before the first that is damaged. Good ones behind that one must be of the same write, which then was the
// last and never finished: a disk may keep a write's later pages and lose earlier ones.
func goodRecords(content []byte) (int, error) {
	whole := len(content) / journalRecord
	good := whole
	for i := range whole {
		record := content[i*journalRecord : (i+1)*journalRecord]
		intact := crc32.ChecksumIEEE(record[:journalRecord-4]) == binary.BigEndian.Uint32(record[journalRecord-4:])
		began := int(binary.BigEndian.Uint32(record[40:44]))
		switch {
		case !intact:
			good = min(good, i)
		case good < i && began > good:
			return 0, fmt.Errorf("record %d is damaged, and later ones are not, so a used or revoked token may be forgotten; "+
				"move the file away once the tokens of before have expired (max_guest_lifetime and twice clock_skew)", good)
		}
	}
	return good, nil
}

func (j *journal) remember(use journalUse) {
	if use.until <= j.now().Unix() {
		return
	}
	old, twice := j.used[use.key]
	if !twice {
		j.of[use.key.resource]++
	}
	j.used[use.key] = max(use.until, old)
}

func readRecord(record []byte) journalUse {
	return journalUse{
		key:   useKey{[16]byte(record[:16]), [16]byte(record[16:32])},
		until: int64(binary.BigEndian.Uint64(record[32:40])),
	}
}

// appendRecord encodes a use, of a write that began with record number began.
func appendRecord(to []byte, use journalUse, began int) []byte {
	start := len(to)
	to = append(to, use.key.resource[:]...)
	to = append(to, use.key.token[:]...)
	to = binary.BigEndian.AppendUint64(to, uint64(use.until))
	to = binary.BigEndian.AppendUint32(to, uint32(began))
	return binary.BigEndian.AppendUint32(to, crc32.ChecksumIEEE(to[start:]))
}

func newUseKey(resource, token string) useKey {
	r, t := sha256.Sum256([]byte(resource)), sha256.Sum256([]byte(token))
	return useKey{[16]byte(r[:16]), [16]byte(t[:16])}
}

// Use marks a token as used until forget. It returns when that is on disk, or *Error: TokenReplayed, or JournalUnavailable, after which the
// token may or may not work again. If ctx ends first the token is used all the same.
func (j *journal) Use(ctx context.Context, resource, token string, forget time.Time) error {
	batch, err := j.enter(journalUse{newUseKey(resource, token), forget.Unix() + 1}, true)
	if err != nil {
		return err
	}
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

// enter hands a use to the next write. One that was entered before is refused if it must be new, else written again.
func (j *journal) enter(use journalUse, mustBeNew bool) (*journalBatch, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil, refuse(JournalUnavailable, "the service is stopping; try again")
	}
	old, known := j.used[use.key]
	if mustBeNew && known && old > j.now().Unix() {
		return nil, refuse(TokenReplayed, "the token was used before; each works once, so get a new one")
	}
	if !known && !j.room(use.key.resource) {
		return nil, refuse(JournalUnavailable, "too many tokens were used in a short time; try again in some minutes")
	}
	if !known {
		j.of[use.key.resource]++
	}
	use.until = max(use.until, old)
	j.used[use.key] = use.until
	if j.pending == nil {
		j.pending = &journalBatch{done: make(chan struct{})}
	}
	j.pending.uses = append(j.pending.uses, use)
	if !j.writing {
		j.writing = true
		go j.flush()
	}
	return j.pending, nil
}

// has tells whether a use was entered and is not to be forgotten yet.
func (j *journal) has(key useKey) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.used[key] > j.now().Unix()
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
		var live []journalUse
		anew := j.broken || j.records > j.rewriteAt
		if anew {
			j.forget()
			live = make([]journalUse, 0, len(j.used))
			for key, until := range j.used { // has the batch's too
				live = append(live, journalUse{key, until})
			}
		}
		j.mu.Unlock()
		if anew {
			batch.err = j.rewrite(live)
		} else {
			batch.err = j.append(batch.uses)
		}
		close(batch.done)
	}
}

func (j *journal) append(uses []journalUse) error {
	var records []byte
	for _, use := range uses {
		records = appendRecord(records, use, j.records)
	}
	_, err := j.file.Write(records)
	if err = errors.Join(err, j.file.Sync()); err != nil {
		// Neither where the file ends nor, after a failed sync, what of it is on disk is known now.
		j.broken = true
		return fmt.Errorf("append to journal of used tokens: %w", err)
	}
	j.records += len(uses)
	return nil
}

// rewrite puts a new file in the old one's place.
func (j *journal) rewrite(live []journalUse) error {
	j.broken = true
	records := make([]byte, 0, len(live)*journalRecord)
	for i, use := range live {
		records = appendRecord(records, use, i) // as if each were a write: the file is whole before it has its name
	}
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
	j.file, j.records, j.broken = tmp, len(live), false
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
