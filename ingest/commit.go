package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/anteroom/anteroom/internal/kafka"
)

// pending is the range of a batch whose insert may have happened, as saved in the metadata of the committed offset.
// Empty when last < first.
type pending struct {
	first, last int64
	// firstTime is the broker's timestamp of the first record in milliseconds: a topic that was made anew has the same offsets
	// but other records.
	firstTime int64
}

const pendingVersion = "anteroom-pending/1"

func (p pending) String() string {
	return fmt.Sprintf("%s %d %d %d", pendingVersion, p.first, p.last, p.firstTime)
}

// parsePending reads the metadata of a committed offset. Metadata of anybody else means that nothing is pending.
func parsePending(metadata string) (pending, bool) {
	fields := strings.Fields(metadata)
	if len(fields) != 4 || fields[0] != pendingVersion {
		return pending{}, false
	}
	var p pending
	for i, to := range []*int64{&p.first, &p.last, &p.firstTime} {
		n, err := strconv.ParseInt(fields[i+1], 10, 64)
		if err != nil {
			return pending{}, false
		}
		*to = n
	}
	return p, p.first >= 0 && p.last >= p.first
}

// madeAnew tells, by the first record at or after the range's start, whether the topic is another one than when the range was saved.
func (p pending) madeAnew(first kafkago.Message) bool {
	return first.Offset < p.first || (first.Offset == p.first && first.Time.UnixMilli() != p.firstTime)
}

// errFenced says that the partition belongs to somebody else by now.
var errFenced = errors.New("partition was assigned anew")

// committer saves offsets of one partition as a member of one generation of the group.
type committer struct {
	client     *kafka.Client
	group      string
	generation int
	member     string
	topic      string
	partition  int
}

// commit saves the next offset to ingest together with the range that is about to be inserted, none for a zero pending.
// It fails with errFenced when the generation is over.
func (c committer) commit(ctx context.Context, next int64, p *pending) error {
	metadata := ""
	if p != nil {
		metadata = p.String()
	}
	resp, err := c.client.API().OffsetCommit(ctx, &kafkago.OffsetCommitRequest{
		GroupID: c.group, GenerationID: c.generation, MemberID: c.member,
		Topics: map[string][]kafkago.OffsetCommit{c.topic: {{Partition: c.partition, Offset: next, Metadata: metadata}}},
	})
	if err == nil {
		for _, partitions := range resp.Topics {
			for _, p := range partitions {
				err = errors.Join(err, p.Error)
			}
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kafkago.IllegalGeneration), errors.Is(err, kafkago.UnknownMemberId), errors.Is(err, kafkago.RebalanceInProgress):
		return errFenced
	}
	return fmt.Errorf("commit offset: %w", err)
}

// committed reads where the group stands: the next offset (-1 for none) and what was pending.
func (c committer) committed(ctx context.Context) (int64, *pending, error) {
	resp, err := c.client.API().OffsetFetch(ctx, &kafkago.OffsetFetchRequest{GroupID: c.group, Topics: map[string][]int{c.topic: {c.partition}}})
	if err == nil {
		err = resp.Error
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read committed offset: %w", err)
	}
	for _, p := range resp.Topics[c.topic] {
		if p.Partition != c.partition {
			continue
		}
		if p.Error != nil {
			return 0, nil, fmt.Errorf("read committed offset: %w", p.Error)
		}
		if range_, ok := parsePending(p.Metadata); ok && p.CommittedOffset == range_.first {
			return p.CommittedOffset, &range_, nil
		}
		return p.CommittedOffset, nil, nil
	}
	return -1, nil, nil
}
