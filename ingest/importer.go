package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/klauspost/compress/gzip"

	"github.com/anteroom/anteroom/event"
	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/acs"
	"github.com/anteroom/anteroom/ingest/decode"
	"github.com/anteroom/anteroom/ingest/label"
	"github.com/anteroom/anteroom/ingest/rtcstats"
	"github.com/anteroom/anteroom/ingest/webrtcinternals"
	"github.com/anteroom/anteroom/internal/kafka"
	"github.com/anteroom/anteroom/store"
)

// Format is a kind of file that can be imported.
type Format string

// The formats of files.
const (
	FormatACS             Format = "acs"
	FormatRTCStats        Format = "rtcstats"
	FormatWebRTCInternals Format = "webrtc-internals"
)

// MaxImportBytes bounds a file, after decompression.
const MaxImportBytes = 256 << 20

// ImportRequest is a file to import on behalf of an organisation.
type ImportRequest struct {
	Format Format
	Org    string
	// OrgUser asserts that the client that recorded the file is an org user's.
	OrgUser bool
	Body    io.Reader
}

// ImportResult is what became of a file.
type ImportResult struct {
	// Calls are the ids of the calls that the file speaks of.
	Calls  []string
	Events int
	// AlreadyImported says that nothing was new.
	AlreadyImported bool
}

// ErrNotStoredYet says that a file's events are published, but whoever ingests them has not stored them in time. They will be
// stored; importing the file again is harmless and waits again.
var ErrNotStoredYet = errors.New("the file is taken but its calls can't be queried yet")

// Importer publishes the events of files and waits until their rows can be queried. It is safe for concurrent use.
type Importer struct {
	cfg      Config
	kafka    *kafka.Client
	store    *store.Store
	keys     *label.Keyring
	producer *kafka.Producer
}

// NewImporter makes an importer for a region. The region's topics must exist and somebody must ingest them.
func NewImporter(cfg Config, deps Deps) *Importer {
	return &Importer{cfg: cfg, kafka: deps.Kafka, store: deps.Store, keys: deps.Keys, producer: deps.Kafka.NewProducer()}
}

// Close ends the producer.
func (i *Importer) Close() error { return i.producer.Close() }

// Import decodes a whole file, publishes its events and returns when their rows can be queried. A file that can't be
// decoded to its end fails with a *decode.Error, and nothing of it is published. Importing the same file again changes nothing; importing
// again what failed half-way publishes the rest.
func (i *Importer) Import(ctx context.Context, req ImportRequest) (ImportResult, error) {
	data, err := readAll(req.Body)
	if err != nil {
		return ImportResult{}, err
	}
	decoded, err := i.decode(req, data)
	if err != nil {
		return ImportResult{}, err
	}
	known, err := i.known(ctx, decoded.Events)
	if err != nil {
		return ImportResult{}, err
	}
	records := make([]event.Record, 0, len(decoded.Events))
	for _, e := range decoded.Events {
		record, err := event.Encode(e)
		if err != nil {
			return ImportResult{}, &decode.Error{Reason: err.Error()}
		}
		records = append(records, record)
	}
	positions, err := i.producer.Write(ctx, records...)
	if err != nil {
		return ImportResult{}, fmt.Errorf("publish events: %w", err)
	}
	if err := i.await(ctx, positions); err != nil {
		return ImportResult{}, err
	}
	return ImportResult{Calls: decoded.Calls, Events: len(decoded.Events), AlreadyImported: known}, nil
}

func (i *Importer) decode(req ImportRequest, data []byte) (*decode.Result, error) {
	if !event.ValidOrg(req.Org) {
		return nil, &decode.Error{Field: "org", Reason: "must be 1 to 63 of a-z, 0-9, '_', '.', '-'"}
	}
	pseudonyms, err := i.keys.For(req.Org)
	if err != nil {
		return nil, err
	}
	opt := decode.Options{Org: req.Org, Region: i.cfg.Region, OrgUser: req.OrgUser, Pseudonyms: pseudonyms}
	switch req.Format {
	case FormatACS:
		return acs.DecodeFile(data, opt)
	case FormatRTCStats:
		return rtcstats.Decode(data, opt)
	case FormatWebRTCInternals:
		return webrtcinternals.Decode(data, opt)
	}
	return nil, &decode.Error{Field: "format", Reason: `must be "acs", "rtcstats" or "webrtc-internals"`}
}

// readAll reads a file, undoing gzip, up to the limit.
func readAll(r io.Reader) ([]byte, error) {
	tooLarge := decode.Errorf(0, "the file has more than %d MiB; split it", MaxImportBytes>>20)
	data, err := io.ReadAll(io.LimitReader(r, MaxImportBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	if len(data) > MaxImportBytes {
		return nil, tooLarge
	}
	if !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return data, nil
	}
	unzip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, decode.Errorf(0, "the file begins like a gzip file but is none")
	}
	if data, err = io.ReadAll(io.LimitReader(unzip, MaxImportBytes+1)); err != nil {
		return nil, decode.Errorf(0, "the gzip file is damaged or cut off")
	}
	if len(data) > MaxImportBytes {
		return nil, tooLarge
	}
	return data, nil
}

// known tells whether all of the events are stored already.
func (i *Importer) known(ctx context.Context, events []*eventpb.Event) (bool, error) {
	last := map[store.SourceTopic]uint64{}
	var sources []string
	seen := map[string]bool{}
	for _, e := range events {
		source := markOf(e)
		if !seen[source] {
			seen[source] = true
			sources = append(sources, source)
		}
		at := store.SourceTopic{Source: source}
		if !namesContent(e) { // content may have come from any topic
			at.Topic = event.Topic(e.Region, event.ClassOf(e))
		}
		last[at] = max(last[at], e.Sequence)
	}
	reached, err := i.store.Reached(ctx, sources)
	if err != nil {
		return false, err
	}
	for at, sequence := range reached {
		anywhere := store.SourceTopic{Source: at.Source}
		reached[anywhere] = max(reached[anywhere], sequence)
	}
	for at, sequence := range last {
		if reached[at] < sequence {
			return false, nil
		}
	}
	return true, nil
}

// importPatience is how long an import waits for its rows. The events are safe in Kafka by then.
const importPatience = 2 * time.Minute

// await returns when the group has committed beyond the positions, which it does after the rows are stored.
func (i *Importer) await(ctx context.Context, positions kafka.Positions) error {
	topics := map[string][]int{}
	for p := range positions {
		topics[p.Topic] = append(topics[p.Topic], p.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, importPatience)
	defer cancel()
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		resp, err := i.kafka.API().OffsetFetch(ctx, &kafkago.OffsetFetchRequest{GroupID: i.cfg.Group, Topics: topics})
		if err == nil && resp.Error == nil {
			for topic, partitions := range resp.Topics {
				for _, p := range partitions {
					at := kafka.Partition{Topic: topic, ID: p.Partition}
					if last, waiting := positions[at]; waiting && p.CommittedOffset > last {
						delete(positions, at)
					}
				}
			}
		}
		if len(positions) == 0 {
			return nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrNotStoredYet, errors.Join(ctx.Err(), err))
		}
	}
}
