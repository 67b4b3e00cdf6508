package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/store"
	"github.com/anteroom/anteroom/store/storetest"
)

var (
	observed    = time.Date(2026, 3, 4, 10, 42, 11, 521_034_000, time.UTC)
	participant = uuid.MustParse("11111111-2222-8333-8444-555555555555")
	stream      = uuid.MustParse("aaaaaaaa-bbbb-8ccc-8ddd-eeeeeeeeeeee")
)

func envelopeOf(call string) store.Envelope {
	return store.Envelope{Org: "clinic", Region: "emea", CallID: call, SourceKind: 4, Revision: 7, ObservedAt: observed}
}

// fullBatch has one row of each table with every column set, and one with as little as may be.
func fullBatch() *store.Batch {
	b := store.NewBatch()
	b.Reset("topic", 3)
	at := func(i uint32) store.Origin { return store.Origin{Offset: 100 + int64(i), Index: i} }
	full, bare := envelopeOf("full"), store.Envelope{Org: "clinic", Region: "emea", CallID: "bare", ObservedAt: observed}
	us := observed.UnixMicro()
	b.Calls.AddStarted(at(0), full, &eventpb.CallStarted{StartedAtUs: us, Kind: eventpb.CallKind_CALL_KIND_MEETING, MeetingId: "m"})
	b.Calls.AddEnded(at(1), bare, &eventpb.CallEnded{EndedAtUs: us, Reason: "ended"})
	b.Participants.AddJoined(at(0), full, store.Who{Identity: store.OrgUser, UserID: "u", DisplayName: "Olga", Network: "192.0.2.0/24"}, &eventpb.ParticipantJoined{
		ParticipantId: participant[:], JoinedAtUs: us, EndpointType: "browser", ClientFamily: "Chrome", ClientVersion: "156", OsFamily: "Linux",
	})
	b.Participants.AddLeft(at(1), bare, &eventpb.ParticipantLeft{
		ParticipantId: participant[:], LeftAtUs: us, EndCode: "0", EndSubCode: "4", ResultCategory: "Success",
	})
	b.Streams.Add(at(0), full, &eventpb.StreamEnded{
		ParticipantId: participant[:], StreamId: stream[:], Direction: eventpb.Direction_DIRECTION_OUTBOUND, Media: eventpb.Media_MEDIA_SCREEN,
		Ssrc: 1 << 31, Codec: "AV1", StartedAtUs: us, EndedAtUs: us, Packets: proto.Uint64(1 << 40), PacketsLost: proto.Int64(-5), Bytes: proto.Uint64(9),
		LossRatio: proto.Float64(0.01), LossRatioMax: proto.Float64(0.02), JitterMsAvg: proto.Float64(1), JitterMsMax: proto.Float64(2),
		RttMsAvg: proto.Float64(3), RttMsMax: proto.Float64(4), JitterBufferMsAvg: proto.Float64(5), JitterBufferMsMax: proto.Float64(6),
		HealedRatio: proto.Float64(0.3), HealedRatioMax: proto.Float64(0.4), FrameRateAvg: proto.Float64(24), HeightAvg: proto.Float64(720),
		FreezeMsPerMin: proto.Float64(310.5), BitrateAvg: proto.Float64(8), BitrateMax: proto.Float64(9),
		LocalCandidateType: eventpb.CandidateType_CANDIDATE_TYPE_RELAY, RemoteCandidateType: eventpb.CandidateType_CANDIDATE_TYPE_HOST,
		Transport: "udp", ObservedBy: "server",
		PacketsRepaired: proto.Int64(-3), LikelySide: "sender_uplink",
	})
	b.Streams.Add(at(1), bare, &eventpb.StreamEnded{ParticipantId: participant[:], StreamId: stream[:]})
	report := &eventpb.StreamReport{ParticipantId: participant[:], IntervalMs: 10_000}
	b.Samples.Add(at(0), full, report, &eventpb.StreamSample{
		StreamId: stream[:], Direction: eventpb.Direction_DIRECTION_INBOUND, Media: eventpb.Media_MEDIA_VIDEO, Ssrc: 5, Codec: "VP8",
		Packets: 1, PacketsLost: -2, Bytes: 3, PacketsDiscarded: 4, RetransmittedPackets: 5, Frames: 6, FramesDropped: 7, Freezes: 8, Nacks: 9, Plis: 10, Firs: 11,
		JitterMs: proto.Float32(12), RttMs: proto.Float32(13), JitterBufferMs: proto.Float32(14), HealedRatio: proto.Float32(0.5), FrameRate: proto.Float32(16),
		FrameHeight: proto.Float32(17), FreezeMs: proto.Float32(18), BitrateBps: proto.Float32(19), AvailableBitrateBps: proto.Float32(20), LossRatio: proto.Float32(0.25),
	})
	b.Samples.Add(at(1), bare, report, &eventpb.StreamSample{StreamId: stream[:]})
	b.Timeline.Add(at(0), full, store.Entry{
		Participant: participant[:], Lane: store.Lane(eventpb.Lane_LANE_NETWORK), Kind: store.DiagnosticEntry, Name: "networkSendQuality", Value: "Bad",
		Operation: stream[:], Result: "Succeeded", ResultCode: 200, DurationMs: 40, Attributes: map[string]string{"a": "1"},
	})
	b.Timeline.Add(at(1), bare, store.Entry{Kind: store.RecordingEntry})
	return b
}

// TestEveryColumnKeepsItsValue reads each table back as ClickHouse prints it.
func TestEveryColumnKeepsItsValue(t *testing.T) {
	s := storetest.New(t)
	if err := s.Insert(t.Context(), fullBatch(), "token"); err != nil {
		t.Fatal(err)
	}
	const at, who = "2026-03-04 10:42:11.521034", "11111111-2222-8333-8444-555555555555"
	want := map[string][]string{
		"calls": {
			`["clinic","emea","bare","unknown",0,"` + at + `","unknown","",null,"` + at + `","ended","topic",3,"101",1]`,
			`["clinic","emea","full","acs",7,"` + at + `","meeting","m","` + at + `",null,"","topic",3,"100",0]`,
		},
		"participants": {
			`["clinic","emea","bare","` + who + `","unknown",0,"` + at + `",null,"","","","","","","",null,"` + at + `","0","4","Success","topic",3,"101",1]`,
			`["clinic","emea","full","` + who + `","acs",7,"` + at + `","org_user","u","Olga","browser","Chrome","156","Linux","192.0.2.0\/24","` + at + `",null,"","","","topic",3,"100",0]`,
		},
		"streams": {
			`["clinic","emea","bare","` + who + `","aaaaaaaa-bbbb-8ccc-8ddd-eeeeeeeeeeee","unknown",0,"` + at + `","","unknown","unknown",0,"",null,null,null,null,null,` +
				`null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,"","","",null,"","topic",3,"101",1]`,
			`["clinic","emea","full","` + who + `","aaaaaaaa-bbbb-8ccc-8ddd-eeeeeeeeeeee","acs",7,"` + at + `","server","outbound","screen",2147483648,"AV1","` + at + `","` + at + `",` +
				`"1099511627776","-5","9",0.01,0.02,1,2,3,4,5,6,0.3,0.4,24,720,310.5,8,9,"relay","host","udp","-3","sender_uplink","topic",3,"100",0]`,
		},
		"samples": {
			`["clinic","emea","bare","` + who + `","aaaaaaaa-bbbb-8ccc-8ddd-eeeeeeeeeeee","` + at + `",10000,"unknown","unknown","unknown",0,"",` +
				`"0","0","0","0","0","0","0","0",0,0,0,null,null,null,null,null,null,null,null,null,null,"topic",3,"101",1]`,
			`["clinic","emea","full","` + who + `","aaaaaaaa-bbbb-8ccc-8ddd-eeeeeeeeeeee","` + at + `",10000,"acs","inbound","video",5,"VP8",` +
				`"1","-2","3","4","5","6","7","8",9,10,11,12,13,14,0.5,16,17,18,19,20,0.25,"topic",3,"100",0]`,
		},
		"timeline": {
			`["clinic","emea","bare","00000000-0000-0000-0000-000000000000","` + at + `","unknown",0,"unknown","recording","","","00000000-0000-0000-0000-000000000000",` +
				`"",0,"0",{},"topic",3,"101",1]`,
			`["clinic","emea","full","` + who + `","` + at + `","acs",7,"network","diagnostic","networkSendQuality","Bad","aaaaaaaa-bbbb-8ccc-8ddd-eeeeeeeeeeee",` +
				`"Succeeded",200,"40",{"a":"1"},"topic",3,"100",0]`,
		},
	}
	for table, rows := range want {
		if diff := cmp.Diff(rows, asJSON(t, s, table)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", table, diff)
		}
	}
}

// asJSON prints the rows of a table, all columns in their order.
func asJSON(t *testing.T, s *store.Store, table string) []string {
	t.Helper()
	rows, err := s.Conn().Query(t.Context(), "SELECT formatRowNoNewline('JSONCompactEachRow', *) FROM "+table+
		" ORDER BY call_id SETTINGS output_format_json_quote_64bit_integers = 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.ReplaceAll(line, ", ", ","))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

var baseTables = []string{"calls", "participants", "streams", "samples", "timeline"}

func TestTheSameTokenStoresOnce(t *testing.T) {
	s := storetest.New(t)
	for _, step := range []struct {
		token string
		want  uint64
	}{{"a", 2}, {"a", 2}, {"b", 4}, {"a", 4}} {
		if err := s.Insert(t.Context(), fullBatch(), step.token); err != nil {
			t.Fatal(err)
		}
		for _, table := range baseTables {
			if got := count(t, t.Context(), s.Conn(), "SELECT count() FROM "+table); got != step.want {
				t.Errorf("after token %s: %s has %d rows, want %d", step.token, table, got, step.want)
			}
		}
	}
}

// manyCalls makes a batch of calls that spread over shards, at the offsets from 0 on.
func manyCalls(n int) *store.Batch {
	b := store.NewBatch()
	b.Reset("topic", 0)
	for i := range n {
		env := envelopeOf(fmt.Sprintf("call-%d", i))
		env.ObservedAt = observed.AddDate(0, i%14, 0) // over months, hence partitions
		b.Calls.AddStarted(store.Origin{Offset: int64(i)}, env, &eventpb.CallStarted{})
		for index := range uint32(3) {
			b.Samples.Add(store.Origin{Offset: int64(i), Index: index}, env, &eventpb.StreamReport{}, &eventpb.StreamSample{StreamId: stream[:]})
		}
	}
	return b
}

func TestMissingFindsWhatIsLost(t *testing.T) {
	for name, s := range map[string]*store.Store{"one node": storetest.New(t), "two shards": startCluster(t)} {
		t.Run(name, func(t *testing.T) {
			const n = 100
			b := manyCalls(n)
			missing := func() *store.Batch {
				t.Helper()
				m, err := s.Missing(t.Context(), b, 0, n-1)
				if err != nil {
					t.Fatal(err)
				}
				return m
			}
			if m := missing(); m == nil || m.Len() != b.Len() {
				t.Fatalf("of an empty store %v is missing, want all", m)
			}
			for range 2 { // the second time is a replay
				if err := s.Insert(t.Context(), b, "token"); err != nil {
					t.Fatal(err)
				}
			}
			if m := missing(); m != nil {
				t.Fatalf("%d rows are missing of what is stored", m.Len())
			}
			err := s.EachShard(t.Context(), func(ctx context.Context, conn driver.Conn) error {
				return conn.Exec(ctx, "ALTER TABLE "+s.Local("samples")+" DELETE WHERE _offset IN (7, 8, 9) AND _index < 2 SETTINGS mutations_sync = 2")
			})
			if err != nil {
				t.Fatal(err)
			}
			m := missing()
			if m == nil || m.Len() != 6 || m.Samples.Len() != 6 {
				t.Fatalf("missing is %v, want 6 samples", m)
			}
			if err := s.Insert(t.Context(), m, "token:r1"); err != nil {
				t.Fatal(err)
			}
			if m := missing(); m != nil {
				t.Fatalf("%d rows are still missing", m.Len())
			}
			if got := count(t, t.Context(), s.Conn(), "SELECT count() FROM samples"); got != 3*n {
				t.Errorf("%d samples, want %d", got, 3*n)
			}
		})
	}
}

func TestMarks(t *testing.T) {
	s := storetest.New(t)
	save := func(topic string, partition int32, first, last int64, marks ...store.Mark) {
		t.Helper()
		f := store.Finish{Topic: topic, Partition: partition, First: first, Last: last, Marks: marks}
		for range 2 { // again after a crash: nothing changes
			if err := s.SaveFinish(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
	}
	save("t", 0, 0, 9, store.Mark{Source: "a", Sequence: 10}, store.Mark{Source: "b", Sequence: 3})
	save("t", 0, 10, 19, store.Mark{Source: "a", Previous: 10, Sequence: 20})
	save("t", 1, 0, 4, store.Mark{Source: "a", Sequence: 5})
	save("u", 0, 0, 4, store.Mark{Source: "b", Sequence: 8})
	for name, tc := range map[string]struct {
		partition int32
		replayed  int64
		anywhere  bool
		want      map[string]uint64
	}{
		"before the next batch":               {0, store.NoReplay, false, map[string]uint64{"a": 20, "b": 3}},
		"replaying the last batch":            {0, 19, false, map[string]uint64{"a": 10, "b": 3}},
		"offsets were rewound":                {0, 12, false, map[string]uint64{"a": 20, "b": 3}},
		"another partition":                   {1, store.NoReplay, false, map[string]uint64{"a": 5}},
		"replaying the only batch":            {1, 4, false, map[string]uint64{}},
		"anywhere":                            {1, store.NoReplay, true, map[string]uint64{"a": 20, "b": 8}},
		"anywhere, replaying the own batch":   {0, 19, true, map[string]uint64{"a": 10, "b": 8}},
		"anywhere, from a partition unmarked": {9, store.NoReplay, true, map[string]uint64{"a": 20, "b": 8}},
	} {
		got, err := s.Marks(t.Context(), "t", tc.partition, tc.replayed, []string{"a", "b", "c"}, tc.anywhere)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	got, err := s.Reached(t.Context(), []string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[store.SourceTopic]uint64{{Source: "a", Topic: "t"}: 20, {Source: "b", Topic: "t"}: 3, {Source: "b", Topic: "u"}: 8}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reached (-want +got):\n%s", diff)
	}
	// A topic that was made anew begins at offset 0 again.
	save("t", 0, 0, 2, store.Mark{Source: "a", Previous: 20, Sequence: 23})
	if got, err := s.Marks(t.Context(), "t", 0, store.NoReplay, []string{"a"}, false); err != nil || got["a"] != 23 {
		t.Errorf("after the topic was made anew the mark is %v, %v, want 23", got, err)
	}
}

// What was lost, or removed, is there when it is put again: no token may take it for a repetition.
func TestFinishIsThereAgain(t *testing.T) {
	s := storetest.New(t)
	f := store.Finish{Topic: "t", First: 0, Last: 9, Marks: []store.Mark{{Source: "a", Sequence: 10}}}
	for range 2 {
		if err := s.SaveFinish(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		if got := count(t, t.Context(), s.Conn(), "SELECT count() FROM source_marks FINAL"); got != 1 {
			t.Errorf("%d marks, want 1", got)
		}
		if err := s.Conn().Exec(t.Context(), "TRUNCATE TABLE source_marks"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFinishTwiceIsOnce(t *testing.T) {
	s := storetest.New(t)
	hour := observed.Truncate(time.Hour)
	f := store.Finish{
		Topic: "t", First: 0, Last: 9, Hours: map[time.Time]uint64{hour: 5, hour.Add(time.Hour): 7},
		DeadLetters: []store.DeadLetter{{Region: "emea", Offset: 4, Record: -1, Reason: "why", Size: 12, ObservedAt: observed}},
	}
	for range 2 {
		if err := s.SaveFinish(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]uint64{
		"SELECT sum(samples) FROM ingest_batches FINAL": 12,
		"SELECT count() FROM dead_letters FINAL":        1,
	} {
		if got := count(t, t.Context(), s.Conn(), query); got != want {
			t.Errorf("%s: got %d, want %d", query, got, want)
		}
	}
}
