package store_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

// sampleRow is what makes one row of samples.
type sampleRow struct {
	origin store.Origin
	env    store.Envelope
	report *eventpb.StreamReport
	sample *eventpb.StreamSample
}

// randomSamples makes rows in no order, of a few streams each with many rows and of many streams with one, with as many different codecs as are asked for.
func randomSamples(n, codecs int) []sampleRow {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	pick := func(of []uuid.UUID) []byte { return of[random.IntN(len(of))][:] }
	maybe := func() *float32 {
		if v := random.Float32(); v < 0.7 {
			return &v
		}
		return nil
	}
	ids := make([]uuid.UUID, 12)
	for i := range ids {
		for b := range ids[i] {
			ids[i][b] = byte(random.Uint32())
		}
	}
	rows := make([]sampleRow, n)
	for i := range rows {
		env := envelopeOf(fmt.Sprintf("call-%d", random.IntN(40)))
		env.Org, env.SourceKind = fmt.Sprintf("org-%d", random.IntN(3)), int8(random.IntN(5))
		env.ObservedAt = observed.Add(time.Duration(random.IntN(5_000_000)) * time.Microsecond)
		rows[i] = sampleRow{
			origin: store.Origin{Offset: int64(i / 3), Index: uint32(i % 3)}, env: env,
			report: &eventpb.StreamReport{ParticipantId: pick(ids), IntervalMs: random.Uint32()},
			sample: &eventpb.StreamSample{
				StreamId: pick(ids), Direction: eventpb.Direction(random.IntN(3)), Media: eventpb.Media(random.IntN(4)), Ssrc: random.Uint32(),
				Codec: strings.Repeat("c", i%codecs%200) + fmt.Sprint(i%codecs), PacketsLost: random.Int64() - random.Int64(),
				Packets: random.Uint64(), Bytes: random.Uint64(), PacketsDiscarded: random.Uint64(), RetransmittedPackets: random.Uint64(),
				Frames: random.Uint64(), FramesDropped: random.Uint64(), Freezes: random.Uint64(), Nacks: random.Uint32(), Plis: random.Uint32(), Firs: random.Uint32(),
				JitterMs: maybe(), RttMs: maybe(), JitterBufferMs: maybe(), HealedRatio: maybe(), FrameRate: maybe(), FrameHeight: maybe(), FreezeMs: maybe(),
				BitrateBps: maybe(), AvailableBitrateBps: maybe(), LossRatio: maybe(),
			},
		}
	}
	return rows
}

func batchOf(rows []sampleRow) *store.Batch {
	b := store.NewBatch()
	b.Reset("topic", 3)
	for _, r := range rows {
		b.Samples.Add(r.origin, r.env, r.report, r.sample)
	}
	return b
}

// TestSamplesAreStoredAsTheDriverWouldStoreThem compares what is handed over packed with the same rows appended one by one. The numbers of words go over
// the limits of one byte and of two.
func TestSamplesAreStoredAsTheDriverWouldStoreThem(t *testing.T) {
	for _, test := range []struct{ rows, codecs int }{{1, 1}, {3000, 7}, {3000, 254}, {3000, 255}, {3000, 256}, {70_000, 66_000}} {
		t.Run(fmt.Sprintf("%d rows, %d codecs", test.rows, test.codecs), func(t *testing.T) {
			s := storetest.New(t)
			rows := randomSamples(test.rows, test.codecs)
			if err := s.Insert(t.Context(), batchOf(rows), "token"); err != nil {
				t.Fatal(err)
			}
			if err := s.Conn().Exec(t.Context(), "CREATE TABLE plain AS samples"); err != nil {
				t.Fatal(err)
			}
			plain, err := s.Conn().PrepareBatch(t.Context(), "INSERT INTO plain")
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				p := r.sample
				err := plain.Append(
					r.env.Org, r.env.Region, r.env.CallID, uuid.UUID(r.report.ParticipantId), uuid.UUID(p.StreamId), r.env.ObservedAt,
					r.report.IntervalMs, r.env.SourceKind, int8(p.Direction), int8(p.Media), p.Ssrc, p.Codec,
					p.Packets, p.PacketsLost, p.Bytes, p.PacketsDiscarded, p.RetransmittedPackets, p.Frames, p.FramesDropped, p.Freezes,
					p.Nacks, p.Plis, p.Firs, p.JitterMs, p.RttMs, p.JitterBufferMs, p.HealedRatio, p.FrameRate, p.FrameHeight, p.FreezeMs,
					p.BitrateBps, p.AvailableBitrateBps, p.LossRatio, "topic", int32(3), r.origin.Offset, r.origin.Index,
				)
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := plain.Send(); err != nil {
				t.Fatal(err)
			}
			const sums = "SELECT count(), sum(cityHash64(formatRow('RowBinary', *))) FROM "
			var count, plainCount, sum, plainSum uint64
			if err := s.Conn().QueryRow(t.Context(), sums+"samples").Scan(&count, &sum); err != nil {
				t.Fatal(err)
			}
			if err := s.Conn().QueryRow(t.Context(), sums+"plain").Scan(&plainCount, &plainSum); err != nil {
				t.Fatal(err)
			}
			if count != uint64(test.rows) || count != plainCount || sum != plainSum {
				t.Errorf("%d rows with the sum %x are stored, want %d with %x", count, sum, plainCount, plainSum)
			}
		})
	}
}

// TestSamplesComeInTheOrderOfTheirTable compares the order in which rows are handed over with the one that the table has put them in.
func TestSamplesComeInTheOrderOfTheirTable(t *testing.T) {
	s := storetest.New(t)
	b := batchOf(randomSamples(5000, 5))
	if err := s.Insert(t.Context(), b, "token"); err != nil {
		t.Fatal(err)
	}
	var stored []store.Origin
	rows, err := s.Conn().Query(t.Context(), "SELECT _offset, _index FROM samples ORDER BY _part, _part_offset")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var o store.Origin
		if err := rows.Scan(&o.Offset, &o.Index); err != nil {
			t.Fatal(err)
		}
		stored = append(stored, o)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.Samples.InOrder(), stored); diff != "" {
		t.Errorf("handed over and stored in different orders (-handed over +stored):\n%s", diff)
	}
}

// TestValuesThatTablesLackAreUnknown: a producer that is newer may say what no table has a name for.
func TestValuesThatTablesLackAreUnknown(t *testing.T) {
	s := storetest.New(t)
	b := store.NewBatch()
	b.Reset("topic", 3)
	env := envelopeOf("call")
	env.SourceKind = 77
	id := participant[:]
	b.Calls.AddStarted(store.Origin{}, env, &eventpb.CallStarted{Kind: 99})
	b.Streams.Add(store.Origin{}, env, &eventpb.StreamEnded{ParticipantId: id, StreamId: id, Direction: 300, Media: -1})
	b.Samples.Add(store.Origin{}, env, &eventpb.StreamReport{ParticipantId: id}, &eventpb.StreamSample{StreamId: id, Direction: 3, Media: 1 << 20})
	b.Timeline.Add(store.Origin{}, env, store.Entry{Kind: store.DiagnosticEntry, Lane: 6})
	if err := s.Insert(t.Context(), b, "token"); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"SELECT concat(toString(source_kind), ' ', toString(kind)) FROM calls",
		"SELECT concat(toString(direction), ' ', toString(media)) FROM streams",
		"SELECT concat(toString(direction), ' ', toString(media)) FROM samples",
		"SELECT concat(toString(source_kind), ' ', toString(lane)) FROM timeline",
	} {
		var got string
		if err := s.Conn().QueryRow(t.Context(), query).Scan(&got); err != nil || got != "unknown unknown" {
			t.Errorf("%s: %q (%v), want unknown unknown", query, got, err)
		}
	}
}

// TestRowsOfAnotherTypeAreRefused: a table that was altered by hand must not be filled with anything else than was meant.
func TestRowsOfAnotherTypeAreRefused(t *testing.T) {
	s := storetest.New(t)
	for _, to := range []string{"Int32", "UInt64", "UInt16", "String", "Nullable(String)"} {
		if err := s.Conn().Exec(t.Context(), "ALTER TABLE samples MODIFY COLUMN ssrc "+to+" SETTINGS mutations_sync = 2"); err != nil {
			t.Fatal(err)
		}
		if err := s.Insert(t.Context(), batchOf(randomSamples(10, 2)), "token"); err == nil {
			t.Errorf("a column of numbers of 32 bits was stored as %s", to)
		}
	}
}
