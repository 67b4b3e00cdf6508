package acs

import (
	"math"
	"strings"
	"time"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/label"
)

var (
	contentTypes = words("Audio", "Video", "Audio - Video", "Transcription")
	channelTypes = words("mixed", "unmixed")
	formats      = words("mp4", "mp3", "wav", "json", "webm", "mkv")
)

// decodeRecording makes a recording. Its length is taken for seconds, as its column is described; one of Azure's samples
// ("73872.94", a string) looks like milliseconds, so read lengths over some hours with care.
func decodeRecording(r *record) {
	id := r.id("RecordingId")
	if id == "" {
		r.missing(map[string]string{"RecordingId": id})
		return
	}
	length, _ := r.duration("RecordingLength", time.Second)
	recording := &eventpb.Recording{
		RecordingId: r.opt.Pseudonyms.ID(label.Recording, r.call, id),
		StartedAtUs: r.time("RecordingStartTime"),
		DurationMs:  int64(math.Round(float64(length) / 1000)),
		ContentType: contentTypes.of(r.text("ContentType")),
		ChannelType: channelTypes.of(r.text("ChannelType")),
		Format:      formats.of(strings.TrimPrefix(r.text("FormatType"), ".")),
	}
	if reason := r.text("RecordingEndReason"); isWord(reason) {
		recording.EndReason = reason
	}
	if n := r.count("ChunkCount", math.MaxUint32); n != nil {
		recording.Chunks = uint32(*n) //nolint:gosec // bounded by count
	}
	if n := r.count("AudioChannelsCount", math.MaxUint32); n != nil {
		recording.AudioChannels = uint32(*n) //nolint:gosec // bounded by count
	}
	r.emit(&eventpb.Event{Payload: &eventpb.Event_Recording{Recording: recording}})
}
