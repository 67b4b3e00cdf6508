-- 00001_calls.sql
CREATE TABLE IF NOT EXISTS calls_local (
    org             LowCardinality(String),
    region          LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    source_kind     Enum8('unknown' = 0, 'media' = 1, 'rtcstats' = 2, 'webrtc_internals' = 3, 'acs' = 4),
    revision        UInt32,
    observed_at     DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    kind            Enum8('unknown' = 0, 'group' = 1, 'p2p' = 2, 'meeting' = 3),
    meeting_id      String CODEC(ZSTD(1)),
    started_at      Nullable(DateTime64(6, 'UTC')),
    ended_at        Nullable(DateTime64(6, 'UTC')),
    end_reason      LowCardinality(String),
    _topic          LowCardinality(String),
    _partition      Int32 CODEC(T64, ZSTD(1)),
    _offset         Int64 CODEC(Delta, ZSTD(1)),
    _index          UInt32 CODEC(T64, ZSTD(1)),
    INDEX offset_range _offset TYPE minmax GRANULARITY 1
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/calls', '{replica}')
PARTITION BY toYYYYMM(observed_at)
ORDER BY (org, call_id, observed_at)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00002_calls_distributed.sql
CREATE TABLE IF NOT EXISTS calls AS calls_local
ENGINE = Distributed('anteroom', currentDatabase(), 'calls_local', cityHash64(org, call_id));

-- 00003_participants.sql
CREATE TABLE IF NOT EXISTS participants_local (
    org             LowCardinality(String),
    region          LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    participant_id  UUID,
    source_kind     Enum8('unknown' = 0, 'media' = 1, 'rtcstats' = 2, 'webrtc_internals' = 3, 'acs' = 4),
    revision        UInt32,
    observed_at     DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    identity        Nullable(Enum8('guest' = 1, 'org_user' = 2, 'service' = 3)),
    user_id         String CODEC(ZSTD(1)),
    display_name    String CODEC(ZSTD(1)),
    endpoint_type   LowCardinality(String),
    client_family   LowCardinality(String),
    client_version  LowCardinality(String),
    os_family       LowCardinality(String),
    joined_at       Nullable(DateTime64(6, 'UTC')),
    left_at         Nullable(DateTime64(6, 'UTC')),
    end_code        LowCardinality(String),
    end_sub_code    LowCardinality(String),
    result_category LowCardinality(String),
    _topic          LowCardinality(String),
    _partition      Int32 CODEC(T64, ZSTD(1)),
    _offset         Int64 CODEC(Delta, ZSTD(1)),
    _index          UInt32 CODEC(T64, ZSTD(1)),
    INDEX offset_range _offset TYPE minmax GRANULARITY 1
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/participants', '{replica}')
PARTITION BY toYYYYMM(observed_at)
ORDER BY (org, call_id, participant_id, observed_at)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00004_participants_distributed.sql
CREATE TABLE IF NOT EXISTS participants AS participants_local
ENGINE = Distributed('anteroom', currentDatabase(), 'participants_local', cityHash64(org, call_id));

-- 00005_streams.sql
CREATE TABLE IF NOT EXISTS streams_local (
    org                     LowCardinality(String),
    region                  LowCardinality(String),
    call_id                 String CODEC(ZSTD(1)),
    participant_id          UUID,
    stream_id               UUID,
    source_kind             Enum8('unknown' = 0, 'media' = 1, 'rtcstats' = 2, 'webrtc_internals' = 3, 'acs' = 4),
    revision                UInt32,
    observed_at             DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    observed_by             LowCardinality(String),
    direction               Enum8('unknown' = 0, 'inbound' = 1, 'outbound' = 2),
    media                   Enum8('unknown' = 0, 'audio' = 1, 'video' = 2, 'screen' = 3),
    ssrc                    UInt32,
    codec                   LowCardinality(String),
    started_at              Nullable(DateTime64(6, 'UTC')),
    ended_at                Nullable(DateTime64(6, 'UTC')),
    packets                 Nullable(UInt64),
    packets_lost            Nullable(Int64),
    bytes                   Nullable(UInt64),
    loss_ratio              Nullable(Float64),
    loss_ratio_max          Nullable(Float64),
    jitter_ms_avg           Nullable(Float64),
    jitter_ms_max           Nullable(Float64),
    rtt_ms_avg              Nullable(Float64),
    rtt_ms_max              Nullable(Float64),
    jitter_buffer_ms_avg    Nullable(Float64),
    jitter_buffer_ms_max    Nullable(Float64),
    healed_ratio            Nullable(Float64),
    healed_ratio_max        Nullable(Float64),
    frame_rate_avg          Nullable(Float64),
    height_avg              Nullable(Float64),
    freeze_ms_per_min       Nullable(Float64),
    bitrate_avg             Nullable(Float64),
    bitrate_max             Nullable(Float64),
    local_candidate_type    LowCardinality(String),
    remote_candidate_type   LowCardinality(String),
    transport               LowCardinality(String),
    _topic          LowCardinality(String),
    _partition      Int32 CODEC(T64, ZSTD(1)),
    _offset         Int64 CODEC(Delta, ZSTD(1)),
    _index          UInt32 CODEC(T64, ZSTD(1)),
    INDEX offset_range _offset TYPE minmax GRANULARITY 1
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/streams', '{replica}')
PARTITION BY toYYYYMM(observed_at)
ORDER BY (org, call_id, participant_id, stream_id, observed_at)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00006_streams_distributed.sql
CREATE TABLE IF NOT EXISTS streams AS streams_local
ENGINE = Distributed('anteroom', currentDatabase(), 'streams_local', cityHash64(org, call_id));

-- 00007_samples.sql
CREATE TABLE IF NOT EXISTS samples_local (
    org                     LowCardinality(String),
    region                  LowCardinality(String),
    call_id                 String CODEC(ZSTD(1)),
    participant_id          UUID CODEC(ZSTD(1)),
    stream_id               UUID CODEC(ZSTD(1)),
    observed_at             DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    interval_ms             UInt32 CODEC(T64, ZSTD(1)),
    source_kind             Enum8('unknown' = 0, 'media' = 1, 'rtcstats' = 2, 'webrtc_internals' = 3, 'acs' = 4),
    direction               Enum8('unknown' = 0, 'inbound' = 1, 'outbound' = 2),
    media                   Enum8('unknown' = 0, 'audio' = 1, 'video' = 2, 'screen' = 3),
    ssrc                    UInt32 CODEC(ZSTD(1)),
    codec                   LowCardinality(String),
    packets                 UInt64 CODEC(T64, ZSTD(1)),
    packets_lost            Int64 CODEC(T64, ZSTD(1)),
    bytes                   UInt64 CODEC(T64, ZSTD(1)),
    packets_discarded       UInt64 CODEC(T64, ZSTD(1)),
    retransmitted_packets   UInt64 CODEC(T64, ZSTD(1)),
    frames                  UInt64 CODEC(T64, ZSTD(1)),
    frames_dropped          UInt64 CODEC(T64, ZSTD(1)),
    freezes                 UInt64 CODEC(T64, ZSTD(1)),
    nacks                   UInt32 CODEC(T64, ZSTD(1)),
    plis                    UInt32 CODEC(T64, ZSTD(1)),
    firs                    UInt32 CODEC(T64, ZSTD(1)),
    jitter_ms               Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    rtt_ms                  Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    jitter_buffer_ms        Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    healed_ratio            Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    frame_rate              Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    frame_height            Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    freeze_ms               Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    bitrate_bps             Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    available_bitrate_bps   Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    loss_ratio              Nullable(Float32) CODEC(Gorilla, ZSTD(1)),
    _topic          LowCardinality(String),
    _partition      Int32 CODEC(T64, ZSTD(1)),
    _offset         Int64 CODEC(Delta, ZSTD(1)),
    _index          UInt32 CODEC(T64, ZSTD(1)),
    INDEX observed_at_range observed_at TYPE minmax GRANULARITY 1,
    INDEX offset_range _offset TYPE minmax GRANULARITY 1
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/samples', '{replica}')
PARTITION BY toYYYYMM(observed_at)
ORDER BY (org, call_id, participant_id, stream_id, observed_at)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00008_samples_distributed.sql
CREATE TABLE IF NOT EXISTS samples AS samples_local
ENGINE = Distributed('anteroom', currentDatabase(), 'samples_local', cityHash64(org, call_id));

-- 00009_timeline.sql
CREATE TABLE IF NOT EXISTS timeline_local (
    org             LowCardinality(String),
    region          LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    participant_id  UUID CODEC(ZSTD(1)),
    observed_at     DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    source_kind     Enum8('unknown' = 0, 'media' = 1, 'rtcstats' = 2, 'webrtc_internals' = 3, 'acs' = 4),
    revision        UInt32,
    lane            Enum8('unknown' = 0, 'call' = 1, 'audio' = 2, 'video' = 3, 'screen' = 4, 'network' = 5),
    kind            Enum8('diagnostic' = 1, 'operation' = 2, 'survey' = 3, 'recording' = 4, 'chat' = 5, 'notice' = 6, 'decision' = 7),
    name            LowCardinality(String),
    value           LowCardinality(String),
    operation_id    UUID CODEC(ZSTD(1)),
    result          LowCardinality(String),
    result_code     Int32 CODEC(T64, ZSTD(1)),
    duration_ms     Int64 CODEC(T64, ZSTD(1)),
    attributes      Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    _topic          LowCardinality(String),
    _partition      Int32 CODEC(T64, ZSTD(1)),
    _offset         Int64 CODEC(Delta, ZSTD(1)),
    _index          UInt32 CODEC(T64, ZSTD(1)),
    INDEX offset_range _offset TYPE minmax GRANULARITY 1
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/timeline', '{replica}')
PARTITION BY toYYYYMM(observed_at)
ORDER BY (org, call_id, participant_id, observed_at)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00010_timeline_distributed.sql
CREATE TABLE IF NOT EXISTS timeline AS timeline_local
ENGINE = Distributed('anteroom', currentDatabase(), 'timeline_local', cityHash64(org, call_id));

-- 00011_source_marks.sql
CREATE TABLE IF NOT EXISTS source_marks (
    source              String CODEC(ZSTD(1)),
    topic               LowCardinality(String),
    partition           Int32,
    sequence            UInt64,
    last_offset         Int64,
    previous_sequence   UInt64,
    inserted_at         DateTime('UTC') DEFAULT now()
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{database}/source_marks', '{shard}-{replica}', sequence)
ORDER BY (source, topic, partition)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00012_ingest_batches.sql
CREATE TABLE IF NOT EXISTS ingest_batches (
    topic           LowCardinality(String),
    partition       Int32,
    first_offset    Int64 CODEC(Delta, ZSTD(1)),
    last_offset     Int64 CODEC(Delta, ZSTD(1)),
    hour            DateTime('UTC') CODEC(Delta, ZSTD(1)),
    samples         UInt64 CODEC(T64, ZSTD(1)),
    inserted_at     DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1)),
    INDEX inserted_at_range inserted_at TYPE minmax GRANULARITY 1
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{database}/ingest_batches', '{shard}-{replica}')
ORDER BY (hour, topic, partition, first_offset)
TTL inserted_at + INTERVAL 2 YEAR
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00013_dead_letters.sql
CREATE TABLE IF NOT EXISTS dead_letters (
    region          LowCardinality(String),
    topic           LowCardinality(String),
    partition       Int32,
    offset          Int64,
    record          Int32,
    reason          String,
    size            UInt32,
    observed_at     DateTime64(3, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{database}/dead_letters', '{shard}-{replica}')
ORDER BY (topic, partition, offset, record)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00017_control.sql
CREATE TABLE IF NOT EXISTS control (
    kind            LowCardinality(String),
    org             String CODEC(ZSTD(1)),
    id              String CODEC(ZSTD(1)),
    version         UInt64,
    value           String CODEC(ZSTD(3)),
    deleted         Bool,
    author          String CODEC(ZSTD(1)),
    at              DateTime64(6, 'UTC'),
    write_id        UUID,
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{database}/control', '{shard}-{replica}')
ORDER BY (kind, org, id, version)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00019_rollup_minute.sql
CREATE TABLE IF NOT EXISTS rollup_minute_local (
    org                     LowCardinality(String),
    region                  LowCardinality(String),
    source_kind             Enum8('unknown' = 0, 'media' = 1, 'rtcstats' = 2, 'webrtc_internals' = 3, 'acs' = 4),
    media                   Enum8('unknown' = 0, 'audio' = 1, 'video' = 2, 'screen' = 3),
    direction               Enum8('unknown' = 0, 'inbound' = 1, 'outbound' = 2),
    minute                  DateTime('UTC') CODEC(Delta, ZSTD(1)),
    rebuilt_at              SimpleAggregateFunction(max, DateTime('UTC')) CODEC(ZSTD(1)),
    samples                 SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    interval_ms             SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    packets                 SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    packets_lost            SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
    bytes                   SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    packets_discarded       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    retransmitted_packets   SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    frames                  SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    frames_dropped          SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    freezes                 SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    nacks                   SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    plis                    SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    firs                    SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    calls                   AggregateFunction(uniqCombined(12), String) CODEC(ZSTD(1)),
    streams                 AggregateFunction(uniqCombined(12), UUID) CODEC(ZSTD(1)),
    jitter_ms               AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    rtt_ms                  AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    loss_ratio              AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    jitter_buffer_ms        AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    healed_ratio            AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    frame_rate              AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    bitrate_bps             AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1))
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/rollup_minute', '{replica}')
PARTITION BY toStartOfHour(minute)
ORDER BY (org, minute, media, direction, source_kind, region)
TTL rebuilt_at + INTERVAL 31 DAY
SETTINGS ttl_only_drop_parts = 1;

-- 00020_rollup_minute_distributed.sql
CREATE TABLE IF NOT EXISTS rollup_minute AS rollup_minute_local
ENGINE = Distributed('anteroom', currentDatabase(), 'rollup_minute_local', rand());

-- 00021_rollup_hour.sql
CREATE TABLE IF NOT EXISTS rollup_hour_local (
    org                     LowCardinality(String),
    region                  LowCardinality(String),
    source_kind             Enum8('unknown' = 0, 'media' = 1, 'rtcstats' = 2, 'webrtc_internals' = 3, 'acs' = 4),
    media                   Enum8('unknown' = 0, 'audio' = 1, 'video' = 2, 'screen' = 3),
    direction               Enum8('unknown' = 0, 'inbound' = 1, 'outbound' = 2),
    hour                    DateTime('UTC') CODEC(Delta, ZSTD(1)),
    rebuilt_at              SimpleAggregateFunction(max, DateTime('UTC')) CODEC(ZSTD(1)),
    samples                 SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    interval_ms             SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    packets                 SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    packets_lost            SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
    bytes                   SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    packets_discarded       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    retransmitted_packets   SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    frames                  SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    frames_dropped          SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    freezes                 SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    nacks                   SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    plis                    SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    firs                    SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    calls                   AggregateFunction(uniqCombined(12), String) CODEC(ZSTD(1)),
    streams                 AggregateFunction(uniqCombined(12), UUID) CODEC(ZSTD(1)),
    jitter_ms               AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    rtt_ms                  AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    loss_ratio              AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    jitter_buffer_ms        AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    healed_ratio            AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    frame_rate              AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1)),
    bitrate_bps             AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Nullable(Float32)) CODEC(ZSTD(1))
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/rollup_hour', '{replica}')
PARTITION BY toYYYYMMDD(hour)
ORDER BY (org, hour, media, direction, source_kind, region);

-- 00022_rollup_hour_distributed.sql
CREATE TABLE IF NOT EXISTS rollup_hour AS rollup_hour_local
ENGINE = Distributed('anteroom', currentDatabase(), 'rollup_hour_local', rand());

-- 00023_rollup_hours.sql
CREATE TABLE IF NOT EXISTS rollup_hours (
    hour            DateTime('UTC'),
    batch_samples   UInt64,
    samples         UInt64,
    rebuilt_at      DateTime64(6, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{database}/rollup_hours', '{shard}-{replica}', rebuilt_at)
ORDER BY hour
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00025_streams_repair.sql
ALTER TABLE streams_local
    ADD COLUMN IF NOT EXISTS packets_repaired Nullable(Int64) CODEC(T64, ZSTD(1)) AFTER transport,
    ADD COLUMN IF NOT EXISTS likely_side LowCardinality(String) AFTER packets_repaired;

-- 00026_streams_repair_distributed.sql
ALTER TABLE streams
    ADD COLUMN IF NOT EXISTS packets_repaired Nullable(Int64) AFTER transport,
    ADD COLUMN IF NOT EXISTS likely_side LowCardinality(String) AFTER packets_repaired;

-- 00027_texts.sql
CREATE TABLE IF NOT EXISTS texts_local (
    class           Enum8('thread' = 1, 'copy' = 2),
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    message_id      UUID CODEC(ZSTD(1)),
    author_id       UUID CODEC(ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    revised_at      DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    text            String CODEC(ZSTD(1)),
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    _topic          LowCardinality(String),
    _partition      Int32 CODEC(T64, ZSTD(1)),
    _offset         Int64 CODEC(Delta, ZSTD(1)),
    _index          UInt32 CODEC(T64, ZSTD(1)),
    INDEX offset_range _offset TYPE minmax GRANULARITY 1,
    INDEX inserted inserted_at TYPE minmax GRANULARITY 1,
    INDEX message message_id TYPE bloom_filter GRANULARITY 1
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/texts', '{replica}')
PARTITION BY (class, toDate(sent_at))
ORDER BY (org, meeting_id, sent_at, message_id, revised_at)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, old_parts_lifetime = 1, cleanup_delay_period = 1, max_cleanup_delay_period = 2, cleanup_delay_period_random_add = 0, min_rows_to_fsync_after_merge = 1, fsync_part_directory = 1, index_granularity = 1024;

-- 00028_texts_distributed.sql
CREATE TABLE IF NOT EXISTS texts AS texts_local
ENGINE = Distributed('anteroom', currentDatabase(), 'texts_local', cityHash64(org, call_id));

-- 00029_retained.sql
CREATE TABLE IF NOT EXISTS retained_local (
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    item_id         UUID CODEC(ZSTD(1)),
    holder_id       UUID CODEC(ZSTD(1)),
    resource_id     UUID CODEC(ZSTD(1)),
    revision_of     UUID CODEC(ZSTD(1)),
    revised_at      DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    _topic          LowCardinality(String),
    _partition      Int32 CODEC(T64, ZSTD(1)),
    _offset         Int64 CODEC(Delta, ZSTD(1)),
    _index          UInt32 CODEC(T64, ZSTD(1)),
    INDEX offset_range _offset TYPE minmax GRANULARITY 1,
    INDEX inserted inserted_at TYPE minmax GRANULARITY 1,
    INDEX meeting meeting_id TYPE bloom_filter GRANULARITY 1,
    INDEX item item_id TYPE bloom_filter GRANULARITY 1
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/retained', '{replica}')
PARTITION BY toDate(sent_at)
ORDER BY (class, org, meeting_id, call_id, holder_id, sent_at, item_id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, old_parts_lifetime = 1, cleanup_delay_period = 1, max_cleanup_delay_period = 2, cleanup_delay_period_random_add = 0, min_rows_to_fsync_after_merge = 1, fsync_part_directory = 1, index_granularity = 1024;

-- 00030_retained_distributed.sql
CREATE TABLE IF NOT EXISTS retained AS retained_local
ENGINE = Distributed('anteroom', currentDatabase(), 'retained_local', cityHash64(org, call_id));

-- 00031_copy_heads.sql
CREATE TABLE IF NOT EXISTS copy_heads_local (
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    holder_id       UUID CODEC(ZSTD(1)),
    message_id      UUID CODEC(ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1))
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/copy_heads', '{replica}', sent_at)
ORDER BY (org, meeting_id, call_id, holder_id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00032_copy_heads_distributed.sql
CREATE TABLE IF NOT EXISTS copy_heads AS copy_heads_local
ENGINE = Distributed('anteroom', currentDatabase(), 'copy_heads_local', cityHash64(org, call_id));

-- 00033_retractions.sql
CREATE TABLE IF NOT EXISTS retractions_local (
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    message_id      UUID CODEC(ZSTD(1)),
    retracted_at    DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX inserted inserted_at TYPE minmax GRANULARITY 1
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/retractions', '{replica}')
ORDER BY (org, meeting_id, call_id, message_id, retracted_at)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00034_retractions_distributed.sql
CREATE TABLE IF NOT EXISTS retractions AS retractions_local
ENGINE = Distributed('anteroom', currentDatabase(), 'retractions_local', cityHash64(org, call_id));

-- 00035_attendance.sql
CREATE TABLE IF NOT EXISTS attendance (
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    user_id         String CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    joined_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX inserted inserted_at TYPE minmax GRANULARITY 1
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{database}/attendance', '{shard}-{replica}')
ORDER BY (org, meeting_id, user_id, call_id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00037_retention_decisions.sql
CREATE TABLE IF NOT EXISTS retention_decisions (
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    resource_id     UUID CODEC(ZSTD(1)),
    period_s        Nullable(Int64),
    held            Bool,
    released_at     Nullable(DateTime64(6, 'UTC')),
    rule_id         LowCardinality(String),
    rule_version    UInt64,
    reason          LowCardinality(String),
    revision        LowCardinality(String),
    basis           UInt64,
    decided_at      DateTime64(6, 'UTC'),
    seq             UInt64,
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{database}/retention_decisions', '{shard}-{replica}', seq)
ORDER BY (org, meeting_id, class, resource_id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00039_hidden.sql
CREATE TABLE IF NOT EXISTS hidden_local (
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    item_id         UUID CODEC(ZSTD(1)),
    holder_id       UUID CODEC(ZSTD(1)),
    resource_id     UUID CODEC(ZSTD(1)),
    revision_of     UUID CODEC(ZSTD(1)),
    revised_at      DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    due_at          Nullable(DateTime64(6, 'UTC')),
    hidden_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    why             Enum8('due' = 1, 'superseded' = 2, 'edited' = 3, 'retracted' = 4, 'tombstoned' = 5),
    born            Bool,
    rule_id         LowCardinality(String),
    rule_version    UInt64,
    reason          LowCardinality(String),
    revision        LowCardinality(String),
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX inserted inserted_at TYPE minmax GRANULARITY 1
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/hidden', '{replica}')
PARTITION BY toDate(sent_at)
ORDER BY (class, org, meeting_id, call_id, holder_id, sent_at, item_id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, old_parts_lifetime = 1, cleanup_delay_period = 1, max_cleanup_delay_period = 2, cleanup_delay_period_random_add = 0, min_rows_to_fsync_after_merge = 1, fsync_part_directory = 1;

-- 00040_hidden_distributed.sql
CREATE TABLE IF NOT EXISTS hidden AS hidden_local
ENGINE = Distributed('anteroom', currentDatabase(), 'hidden_local', cityHash64(org, call_id));

-- 00041_purge_batches.sql
CREATE TABLE IF NOT EXISTS purge_batches (
    batch_id        UUID,
    kind            Enum8('stored' = 1, 'purge' = 2),
    step            Enum8('intent' = 1, 'purged' = 2, 'evidenced' = 3, 'done' = 4, 'given_up' = 5),
    epoch           UInt64,
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    day             Date,
    things          UInt64,
    attempts        UInt32,
    failure         String,
    at              DateTime64(6, 'UTC'),
    begun           DateTime64(6, 'UTC'),
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{database}/purge_batches', '{shard}-{replica}')
PARTITION BY toYYYYMM(begun)
ORDER BY (batch_id, step)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00043_evidence.sql
CREATE TABLE IF NOT EXISTS evidence_local (
    copy_id         FixedString(32),
    nonce           FixedString(16),
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    resource_id     UUID CODEC(ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    due_at          Nullable(DateTime64(6, 'UTC')),
    hidden_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    purged_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    why             Enum8('due' = 1, 'superseded' = 2, 'edited' = 3, 'retracted' = 4, 'tombstoned' = 5),
    born            Bool,
    held            Bool,
    lateness_ms     Int64 CODEC(T64, ZSTD(1)),
    attempts        UInt32,
    rule_id         LowCardinality(String),
    rule_version    UInt64,
    reason          LowCardinality(String),
    revision        LowCardinality(String),
    broker_expiry_at Nullable(DateTime64(6, 'UTC')),
    batch_id        UUID CODEC(ZSTD(1)),
    written_at      DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    INDEX copy copy_id TYPE bloom_filter GRANULARITY 1,
    INDEX batch batch_id TYPE bloom_filter GRANULARITY 1
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/evidence', '{replica}')
PARTITION BY toYYYYMM(sent_at)
ORDER BY (org, sent_at, copy_id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00044_evidence_distributed.sql
CREATE TABLE IF NOT EXISTS evidence AS evidence_local
ENGINE = Distributed('anteroom', currentDatabase(), 'evidence_local', cityHash64(org, call_id));

-- 00045_tombstones.sql
CREATE TABLE IF NOT EXISTS tombstones_local (
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    org             LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    item_id         UUID CODEC(ZSTD(1)),
    holder_id       UUID CODEC(ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    buried_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1))
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/tombstones', '{replica}')
ORDER BY (class, org, call_id, item_id, holder_id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00046_tombstones_distributed.sql
CREATE TABLE IF NOT EXISTS tombstones AS tombstones_local
ENGINE = Distributed('anteroom', currentDatabase(), 'tombstones_local', cityHash64(org, call_id));

-- 00047_ledger_outbox.sql
CREATE TABLE IF NOT EXISTS ledger_outbox (
    id              String CODEC(ZSTD(1)),
    leaf            String CODEC(ZSTD(3)),
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    INDEX leaf_id id TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{database}/ledger_outbox', '{shard}-{replica}')
ORDER BY (inserted_at, id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00049_ledger_entries.sql
CREATE TABLE IF NOT EXISTS ledger_entries (
    id              String CODEC(ZSTD(1)),
    log_index       UInt64,
    leaf_hash       FixedString(32),
    published_at    DateTime64(6, 'UTC'),
    INDEX indices log_index TYPE minmax GRANULARITY 1
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{database}/ledger_entries', '{shard}-{replica}')
ORDER BY id
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00051_decision_marks.sql
CREATE TABLE IF NOT EXISTS decision_marks (
    id              LowCardinality(String),
    n               UInt64,
    seen            UInt64,
    at              DateTime64(6, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{database}/decision_marks', '{shard}-{replica}', n)
ORDER BY id
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00053_decisions.sql
CREATE TABLE IF NOT EXISTS decisions_local (
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    decision_id     UUID CODEC(ZSTD(1)),
    participant_id  UUID CODEC(ZSTD(1)),
    action          LowCardinality(String),
    effect          LowCardinality(String),
    reasons         Array(LowCardinality(String)),
    revision        LowCardinality(String),
    input           String CODEC(ZSTD(3)),
    at              DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    _topic          LowCardinality(String),
    _partition      Int32 CODEC(T64, ZSTD(1)),
    _offset         Int64 CODEC(Delta, ZSTD(1)),
    _index          UInt32 CODEC(T64, ZSTD(1)),
    INDEX offset_range _offset TYPE minmax GRANULARITY 1
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/decisions', '{replica}')
PARTITION BY toDate(sent_at)
ORDER BY (org, meeting_id, call_id, at, decision_id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, old_parts_lifetime = 1, cleanup_delay_period = 1, max_cleanup_delay_period = 2, cleanup_delay_period_random_add = 0, min_rows_to_fsync_after_merge = 1, fsync_part_directory = 1;

-- 00054_decisions_distributed.sql
CREATE TABLE IF NOT EXISTS decisions AS decisions_local
ENGINE = Distributed('anteroom', currentDatabase(), 'decisions_local', cityHash64(org, call_id));

-- 00060_stored_things.sql
CREATE TABLE IF NOT EXISTS stored_things_local (
    copy_id         FixedString(32),
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    resource_id     UUID CODEC(ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    batch_id        UUID CODEC(ZSTD(1)),
    position        UInt32 CODEC(T64, ZSTD(1)),
    written_at      DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX copy copy_id TYPE bloom_filter GRANULARITY 1,
    INDEX batch batch_id TYPE bloom_filter GRANULARITY 1
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/stored_things', '{replica}')
PARTITION BY toYYYYMM(sent_at)
ORDER BY (org, sent_at, copy_id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00061_stored_things_distributed.sql
CREATE TABLE IF NOT EXISTS stored_things AS stored_things_local
ENGINE = Distributed('anteroom', currentDatabase(), 'stored_things_local', cityHash64(org, call_id));

-- 00062_purge_sets.sql
CREATE TABLE IF NOT EXISTS purge_sets_local (
    batch_id        UUID,
    copy_id         FixedString(32),
    taken_out       UInt8,
    epoch           UInt64,
    class           Enum8('thread' = 1, 'copy' = 2, 'recording' = 3, 'notice' = 4, 'decision' = 5),
    org             LowCardinality(String),
    meeting_id      UUID CODEC(ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    item_id         UUID CODEC(ZSTD(1)),
    holder_id       UUID CODEC(ZSTD(1)),
    resource_id     UUID CODEC(ZSTD(1)),
    revision_of     UUID CODEC(ZSTD(1)),
    revised_at      DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    sent_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    due_at          Nullable(DateTime64(6, 'UTC')),
    hidden_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    late_from       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    why             Enum8('due' = 1, 'superseded' = 2, 'edited' = 3, 'retracted' = 4, 'tombstoned' = 5),
    born            Bool,
    rule_id         LowCardinality(String),
    rule_version    UInt64,
    reason          LowCardinality(String),
    revision        LowCardinality(String),
    begun           DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1))
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/purge_sets', '{replica}')
PARTITION BY toYYYYMMDD(begun)
ORDER BY (batch_id, copy_id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, old_parts_lifetime = 1, cleanup_delay_period = 1, max_cleanup_delay_period = 2, cleanup_delay_period_random_add = 0, min_rows_to_fsync_after_merge = 1, fsync_part_directory = 1;

-- 00063_purge_sets_distributed.sql
CREATE TABLE IF NOT EXISTS purge_sets AS purge_sets_local
ENGINE = Distributed('anteroom', currentDatabase(), 'purge_sets_local', cityHash64(org, call_id));

-- 00064_sweep_beats.sql
CREATE TABLE IF NOT EXISTS sweep_beats (
    epoch           UInt64,
    marks           Bool,
    over            Bool,
    looked          DateTime64(6, 'UTC'),
    arrived         DateTime64(6, 'UTC'),
    registered      DateTime64(6, 'UTC'),
    texts           DateTime64(6, 'UTC'),
    at              DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{database}/sweep_beats', '{shard}-{replica}', at)
ORDER BY (epoch, marks)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00070_backups.sql
CREATE TABLE IF NOT EXISTS backups (
    name            String CODEC(ZSTD(1)),
    started_at      DateTime64(6, 'UTC'),
    step            Enum8('begun' = 1, 'done' = 2, 'failed' = 3, 'gone' = 4),
    expires_at      DateTime64(6, 'UTC'),
    manifest        String CODEC(ZSTD(3)),
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{database}/backups', '{shard}-{replica}', inserted_at)
ORDER BY (name, started_at)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00080_control_keys.sql
ALTER TABLE control
    MODIFY TTL toDateTime(inserted_at) + INTERVAL 30 DAY DELETE WHERE kind = 'sealing_key';

-- 00081_call_changes.sql
CREATE TABLE IF NOT EXISTS call_changes_local (
    org             LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    batches         SimpleAggregateFunction(sum, UInt64),
    turns           SimpleAggregateFunction(sum, UInt64),
    changed_at      SimpleAggregateFunction(max, DateTime64(6, 'UTC')) DEFAULT now64(6, 'UTC'),
    INDEX changed changed_at TYPE minmax GRANULARITY 1
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/call_changes', '{replica}')
ORDER BY (org, call_id)
SETTINGS index_granularity = 1024;

-- 00082_call_changes_distributed.sql
CREATE TABLE IF NOT EXISTS call_changes AS call_changes_local
ENGINE = Distributed('anteroom', currentDatabase(), 'call_changes_local', cityHash64(org, call_id));

-- 00083_call_changes_before.sql
INSERT INTO call_changes_local (org, call_id, batches, turns)
SELECT org, call_id, 1, 1 FROM (
    SELECT org, call_id FROM calls_local
    UNION ALL SELECT org, call_id FROM participants_local
    UNION ALL SELECT org, call_id FROM streams_local
    UNION ALL SELECT org, call_id FROM timeline_local
) GROUP BY org, call_id;

-- 00084_call_builds.sql
CREATE TABLE IF NOT EXISTS call_builds_local (
    org             LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    at              DateTime64(6, 'UTC'),
    done            Bool,
    version         UInt64 CODEC(ZSTD(1)),
    batches         UInt64 CODEC(T64, ZSTD(1)),
    turns           UInt64 CODEC(T64, ZSTD(1)),
    digest          UInt64,
    running         Bool,
    due_at          DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    places          UInt32 CODEC(T64, ZSTD(1)),
    INDEX due due_at TYPE minmax GRANULARITY 1
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/call_builds', '{replica}', version)
ORDER BY (org, call_id, at, done)
SETTINGS index_granularity = 1024;

-- 00085_call_builds_distributed.sql
CREATE TABLE IF NOT EXISTS call_builds AS call_builds_local
ENGINE = Distributed('anteroom', currentDatabase(), 'call_builds_local', cityHash64(org, call_id));

-- 00086_call_summaries.sql
CREATE TABLE IF NOT EXISTS call_summaries_local (
    org             LowCardinality(String),
    profile         LowCardinality(String),
    at              DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    version         UInt64 CODEC(Delta, ZSTD(1)),
    gone            Bool,
    region          LowCardinality(String),
    source          Enum8('unknown' = 0, 'media' = 1, 'rtcstats' = 2, 'webrtc_internals' = 3, 'acs' = 4),
    kind            Enum8('unknown' = 0, 'group' = 1, 'p2p' = 2, 'meeting' = 3),
    meeting_id      String CODEC(ZSTD(1)),
    started_at      Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
    ended_at        Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
    duration_ms     Nullable(Int64) CODEC(ZSTD(1)),
    end_reason      LowCardinality(String),
    state           Enum8('running' = 1, 'partial' = 2, 'complete' = 3),
    recorded        Bool,
    participants    UInt32 CODEC(T64, ZSTD(1)),
    anonymous       UInt32 CODEC(T64, ZSTD(1)),
    people          Nested(
        participant_id  UUID,
        user_id         String,
        label           String,
        client          LowCardinality(String),
        client_version  LowCardinality(String),
        os              LowCardinality(String),
        network         LowCardinality(String),
        site            LowCardinality(String)
    ),
    setup_failures  UInt32 CODEC(T64, ZSTD(1)),
    drops           UInt32 CODEC(T64, ZSTD(1)),
    rating          Enum8('unknown' = 0, 'good' = 1, 'average' = 2, 'poor' = 3),
    rating_score    Nullable(Float64) CODEC(ZSTD(1)),
    verdict         Enum8('unknown' = 0, 'good' = 1, 'poor' = 2),
    good            UInt32 CODEC(T64, ZSTD(1)),
    poor            UInt32 CODEC(T64, ZSTD(1)),
    unknown         UInt32 CODEC(T64, ZSTD(1)),
    issues          UInt32 CODEC(T64, ZSTD(1)),
    bad_operations  UInt32 CODEC(T64, ZSTD(1)),
    unexpected_ends UInt32 CODEC(T64, ZSTD(1)),
    reasons         Array(LowCardinality(String)) CODEC(ZSTD(1)),
    sides           Array(LowCardinality(String)) CODEC(ZSTD(1)),
    top_metric      LowCardinality(String),
    side            LowCardinality(String),
    judgement       String CODEC(ZSTD(3)),
    streams         Nested(
        stream_id       UUID,
        participant_id  UUID,
        media           Enum8('unknown' = 0, 'audio' = 1, 'video' = 2, 'screen' = 3),
        direction       Enum8('unknown' = 0, 'inbound' = 1, 'outbound' = 2),
        verdict         Enum8('unknown' = 0, 'good' = 1, 'poor' = 2),
        counted         Bool,
        reason          LowCardinality(String),
        side            LowCardinality(String),
        client          LowCardinality(String),
        client_version  LowCardinality(String),
        site            LowCardinality(String),
        loss_ratio      Nullable(Float32),
        jitter_ms       Nullable(Float32),
        rtt_ms          Nullable(Float32),
        bitrate_bps     Nullable(Float32)
    )
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/call_summaries', '{replica}', version)
PARTITION BY toYYYYMM(at)
ORDER BY (org, profile, at, call_id);

-- 00087_call_summaries_distributed.sql
CREATE TABLE IF NOT EXISTS call_summaries AS call_summaries_local
ENGINE = Distributed('anteroom', currentDatabase(), 'call_summaries_local', cityHash64(org, call_id));

-- 00088_participants_network.sql
ALTER TABLE participants_local
    ADD COLUMN IF NOT EXISTS network LowCardinality(String) AFTER os_family;

-- 00089_participants_network_distributed.sql
ALTER TABLE participants
    ADD COLUMN IF NOT EXISTS network LowCardinality(String) AFTER os_family;

-- 00090_watermarks.sql
CREATE TABLE IF NOT EXISTS watermarks (
    name            LowCardinality(String),
    watermark       DateTime64(6, 'UTC'),
    reason          String,
    noted_at        DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{database}/watermarks', '{shard}-{replica}', noted_at)
ORDER BY name
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00092_timeline_purged.sql
ALTER TABLE timeline_local
    MODIFY SETTING old_parts_lifetime = 1, cleanup_delay_period = 1, max_cleanup_delay_period = 2, cleanup_delay_period_random_add = 0, min_rows_to_fsync_after_merge = 1, fsync_part_directory = 1;

-- 00100_call_logs.sql
CREATE TABLE IF NOT EXISTS call_logs_local (
    org             LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    category        LowCardinality(String),
    record_id       UUID CODEC(ZSTD(1)),
    seq             UInt32 CODEC(T64, ZSTD(1)),
    participant_id  UUID CODEC(ZSTD(1)),
    at              DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    body            String CODEC(ZSTD(3)),
    writer          UUID CODEC(ZSTD(1)),
    expires_at      DateTime('UTC') CODEC(Delta, ZSTD(1)),
    INDEX calls call_id TYPE bloom_filter GRANULARITY 1
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/call_logs', '{replica}')
PARTITION BY toYYYYMM(at)
ORDER BY (org, category, at, record_id)
TTL expires_at
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00101_call_logs_distributed.sql
CREATE TABLE IF NOT EXISTS call_logs AS call_logs_local
ENGINE = Distributed('anteroom', currentDatabase(), 'call_logs_local', cityHash64(org, call_id));

-- 00102_call_log_marks.sql
CREATE TABLE IF NOT EXISTS call_log_marks_local (
    org             LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    at              DateTime('UTC') DEFAULT now('UTC') CODEC(Delta, ZSTD(1)),
    records         UInt32
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/call_log_marks', '{replica}')
ORDER BY (org, call_id)
TTL at + INTERVAL 40 DAY
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00103_call_log_marks_distributed.sql
CREATE TABLE IF NOT EXISTS call_log_marks AS call_log_marks_local
ENGINE = Distributed('anteroom', currentDatabase(), 'call_log_marks_local', cityHash64(org, call_id));

-- 00104_resource_log_database.sql
CREATE DATABASE IF NOT EXISTS resource_log;

-- 00105_resource_log_guests.sql
CREATE TABLE IF NOT EXISTS resource_log.guests_local (
    resource_id     UUID CODEC(ZSTD(1)),
    org             LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    participant_id  UUID CODEC(ZSTD(1)),
    meeting_id      UUID CODEC(ZSTD(1)),
    user_id         String CODEC(ZSTD(1)),
    joined_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    expires_at      DateTime('UTC') CODEC(Delta, ZSTD(1)),
    inserted_at     DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX inserted inserted_at TYPE minmax GRANULARITY 1
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/guests', '{replica}')
PARTITION BY toDate(expires_at)
ORDER BY (resource_id, joined_at, org, call_id, participant_id)
TTL toStartOfDay(expires_at) + INTERVAL 1 DAY
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, old_parts_lifetime = 1, cleanup_delay_period = 1, max_cleanup_delay_period = 2, cleanup_delay_period_random_add = 0, min_rows_to_fsync_after_merge = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1, merge_with_ttl_timeout = 600;

-- 00106_resource_log_guests_distributed.sql
CREATE TABLE IF NOT EXISTS resource_log.guests AS resource_log.guests_local
ENGINE = Distributed('anteroom', 'resource_log', 'guests_local', cityHash64(org, call_id));

-- 00107_resource_log_records.sql
CREATE TABLE IF NOT EXISTS resource_log.records_local (
    resource_id     UUID CODEC(ZSTD(1)),
    org             LowCardinality(String),
    call_id         String CODEC(ZSTD(1)),
    participant_id  UUID CODEC(ZSTD(1)),
    category        LowCardinality(String),
    record_id       UUID CODEC(ZSTD(1)),
    at              DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    body            String CODEC(ZSTD(3)),
    expires_at      DateTime('UTC') CODEC(Delta, ZSTD(1))
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/records', '{replica}')
PARTITION BY toDate(expires_at)
ORDER BY (resource_id, category, at, record_id)
TTL toStartOfDay(expires_at) + INTERVAL 1 DAY
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, old_parts_lifetime = 1, cleanup_delay_period = 1, max_cleanup_delay_period = 2, cleanup_delay_period_random_add = 0, min_rows_to_fsync_after_merge = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1, merge_with_ttl_timeout = 600;

-- 00108_resource_log_records_distributed.sql
CREATE TABLE IF NOT EXISTS resource_log.records AS resource_log.records_local
ENGINE = Distributed('anteroom', 'resource_log', 'records_local', cityHash64(org, call_id));

-- 00109_resource_log_usage.sql
CREATE TABLE IF NOT EXISTS resource_log.usage_local (
    resource_id     UUID CODEC(ZSTD(1)),
    org             LowCardinality(String),
    day             Date CODEC(Delta, ZSTD(1)),
    call_id         String CODEC(ZSTD(1)),
    participant_id  UUID CODEC(ZSTD(1)),
    began           Bool,
    stay_ms         UInt64 CODEC(T64, ZSTD(1)),
    messages        UInt32 CODEC(T64, ZSTD(1))
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/usage', '{replica}')
PARTITION BY toYYYYMM(day)
ORDER BY (resource_id, day, org, call_id, participant_id)
TTL day + INTERVAL 400 DAY
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00110_resource_log_usage_distributed.sql
CREATE TABLE IF NOT EXISTS resource_log.usage AS resource_log.usage_local
ENGINE = Distributed('anteroom', 'resource_log', 'usage_local', cityHash64(org, call_id));

-- 00120_analytics_calls.sql
CREATE VIEW IF NOT EXISTS analytics_calls
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT org, profile, at, call_id, region, source, kind, meeting_id, started_at, ended_at, duration_ms, end_reason, state, recorded, participants, anonymous,
    setup_failures, drops, rating, rating_score, verdict, good, poor, unknown, issues, bad_operations, unexpected_ends, reasons, sides, top_metric, side,
    arrayDistinct(arrayFilter(x -> x != '', people.site)) AS sites
FROM call_summaries FINAL WHERE NOT gone;

-- 00121_analytics_participants.sql
CREATE VIEW IF NOT EXISTS analytics_participants
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT org, profile, at, call_id, state, participant_id, label, client, client_version, os, site
FROM call_summaries FINAL
ARRAY JOIN people.participant_id AS participant_id, people.label AS label, people.client AS client, people.client_version AS client_version,
    people.os AS os, people.site AS site
WHERE NOT gone;

-- 00122_analytics_streams.sql
CREATE VIEW IF NOT EXISTS analytics_streams
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT org, profile, at, call_id, region, state, stream_id, participant_id, media, direction, verdict, counted, reason, side, client, client_version, site,
    loss_ratio, jitter_ms, rtt_ms, bitrate_bps
FROM (
    SELECT org, profile, at, call_id, region, state, streams.stream_id AS stream_id, streams.participant_id AS participant_id, streams.media AS media,
        streams.direction AS direction, streams.verdict AS verdict, streams.counted AS counted, streams.reason AS reason, streams.side AS side,
        streams.client AS client, streams.client_version AS client_version, streams.site AS site, streams.loss_ratio AS loss_ratio,
        streams.jitter_ms AS jitter_ms, streams.rtt_ms AS rtt_ms, streams.bitrate_bps AS bitrate_bps
    FROM call_summaries FINAL ARRAY JOIN streams WHERE NOT gone
);

-- 00123_analytics_samples.sql
CREATE VIEW IF NOT EXISTS analytics_samples
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT s.org AS org, s.call_id AS call_id, s.participant_id AS participant_id, s.stream_id AS stream_id, s.observed_at AS observed_at,
    s.interval_ms AS interval_ms, s.media AS media, s.direction AS direction, s.codec AS codec, s.packets AS packets, s.packets_lost AS packets_lost,
    s.jitter_ms AS jitter_ms, s.rtt_ms AS rtt_ms, s.jitter_buffer_ms AS jitter_buffer_ms, s.healed_ratio AS healed_ratio, s.frame_rate AS frame_rate,
    s.frame_height AS frame_height, s.freeze_ms AS freeze_ms, s.bitrate_bps AS bitrate_bps, s.available_bitrate_bps AS available_bitrate_bps,
    s.loss_ratio AS loss_ratio
FROM samples AS s
GLOBAL INNER JOIN (
    SELECT DISTINCT org, call_id, participant_id FROM call_summaries FINAL ARRAY JOIN people.participant_id AS participant_id WHERE NOT gone
) AS shown ON shown.org = s.org AND shown.call_id = s.call_id AND shown.participant_id = s.participant_id;

-- 00124_analytics_marks.sql
CREATE VIEW IF NOT EXISTS analytics_marks
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT t.org AS org, t.call_id AS call_id, t.participant_id AS participant_id, t.observed_at AS observed_at, t.lane AS lane, t.kind AS kind,
    t.name AS name, t.value AS value, t.result AS result, t.result_code AS result_code, t.duration_ms AS duration_ms
FROM timeline AS t
GLOBAL INNER JOIN (
    SELECT org, call_id, arrayJoin(arrayDistinct(arrayPushBack(groupArrayArray(people.participant_id), toUUID('00000000-0000-0000-0000-000000000000')))) AS participant_id
    FROM call_summaries FINAL WHERE NOT gone GROUP BY org, call_id
) AS shown ON shown.org = t.org AND shown.call_id = t.call_id AND shown.participant_id = t.participant_id
WHERE t.kind IN ('diagnostic', 'operation', 'recording');

-- 00125_analytics_decisions.sql
CREATE VIEW IF NOT EXISTS analytics_decisions
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT org, region, call_id, observed_at, name AS action, value AS effect,
    arrayFilter(x -> x != '', splitByChar(',', attributes['reasons'])) AS reasons, attributes['policy_revision'] AS revision
FROM timeline
WHERE kind = 'decision'
    AND (org, call_id) GLOBAL NOT IN (SELECT org, call_id FROM calls GROUP BY org, call_id HAVING max(ended_at) IS NULL)
    AND (observed_at < now() - INTERVAL 1 HOUR OR (org, call_id) GLOBAL IN (SELECT org, call_id FROM calls WHERE ended_at IS NOT NULL));

-- 00126_analytics_deletions.sql
CREATE VIEW IF NOT EXISTS analytics_deletions
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT class, org, sent_at, due_at, hidden_at, purged_at, why, born, held, lateness_ms, attempts, rule_id, rule_version, reason, revision
FROM evidence
WHERE (org, call_id) GLOBAL NOT IN (SELECT org, call_id FROM calls GROUP BY org, call_id HAVING max(ended_at) IS NULL);

-- 00127_analytics_proofs.sql
CREATE VIEW IF NOT EXISTS analytics_proofs
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT log_index, published_at FROM ledger_entries FINAL;

-- 00128_analytics_dead_letters.sql
CREATE VIEW IF NOT EXISTS analytics_dead_letters
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT region, topic, partition, offset, record, reason, size, observed_at FROM dead_letters FINAL;

-- 00129_analytics_watermarks.sql
CREATE VIEW IF NOT EXISTS analytics_watermarks
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT name, watermark, reason, noted_at FROM watermarks FINAL;

-- 00130_policy_contents.sql
CREATE TABLE IF NOT EXISTS policy_contents (
    org             String CODEC(ZSTD(1)),
    digest          String CODEC(ZSTD(1)),
    draft           Bool,
    files           String CODEC(ZSTD(3)),
    at              DateTime('UTC') DEFAULT now('UTC') CODEC(Delta, ZSTD(1))
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{database}/policy_contents', '{shard}-{replica}')
ORDER BY (org, digest, draft)
TTL at + INTERVAL 366 DAY DELETE WHERE draft
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00135_decisions_log.sql
ALTER TABLE decisions_local
    ADD COLUMN IF NOT EXISTS rules Array(LowCardinality(String)) AFTER reasons,
    ADD COLUMN IF NOT EXISTS evaluation_ns Int64 CODEC(T64, ZSTD(1)) AFTER revision,
    ADD COLUMN IF NOT EXISTS error LowCardinality(String) AFTER evaluation_ns,
    ADD COLUMN IF NOT EXISTS source LowCardinality(String) DEFAULT 'media' AFTER error,
    ADD INDEX IF NOT EXISTS at_range at TYPE minmax GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_id decision_id TYPE bloom_filter GRANULARITY 1;

-- 00136_decisions_log_distributed.sql
ALTER TABLE decisions
    ADD COLUMN IF NOT EXISTS rules Array(LowCardinality(String)) AFTER reasons,
    ADD COLUMN IF NOT EXISTS evaluation_ns Int64 AFTER revision,
    ADD COLUMN IF NOT EXISTS error LowCardinality(String) AFTER evaluation_ns,
    ADD COLUMN IF NOT EXISTS source LowCardinality(String) DEFAULT 'media' AFTER error;

-- 00150_analytics_samples_sent.sql
CREATE OR REPLACE VIEW analytics_samples
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT s.org AS org, s.call_id AS call_id, s.participant_id AS participant_id, s.stream_id AS stream_id, s.observed_at AS observed_at,
    s.interval_ms AS interval_ms, s.media AS media, s.direction AS direction, s.codec AS codec, s.packets AS packets, s.packets_lost AS packets_lost,
    s.jitter_ms AS jitter_ms, s.rtt_ms AS rtt_ms, s.jitter_buffer_ms AS jitter_buffer_ms, s.healed_ratio AS healed_ratio, s.frame_rate AS frame_rate,
    s.frame_height AS frame_height, s.freeze_ms AS freeze_ms, s.bitrate_bps AS bitrate_bps, s.available_bitrate_bps AS available_bitrate_bps,
    s.loss_ratio AS loss_ratio
FROM samples AS s
GLOBAL INNER JOIN (
    SELECT org, call_id, participant_id, max(state = 'running') AS runs FROM call_summaries FINAL ARRAY JOIN people.participant_id AS participant_id
    WHERE NOT gone GROUP BY org, call_id, participant_id
) AS shown ON shown.org = s.org AND shown.call_id = s.call_id AND shown.participant_id = s.participant_id
WHERE NOT shown.runs OR s.direction = 'outbound';

-- 00175_media_nodes.sql
CREATE TABLE IF NOT EXISTS media_nodes (
    node            UUID,
    url             String CODEC(ZSTD(1)),
    over            Bool,
    at              DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{database}/media_nodes', '{shard}-{replica}', at)
ORDER BY node
TTL toDateTime(at) + INTERVAL 1 DAY
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00177_media_claims.sql
CREATE TABLE IF NOT EXISTS media_claims (
    kind            LowCardinality(String),
    id              String CODEC(ZSTD(1)),
    epoch           UInt64,
    owner           UUID,
    at              DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    until           DateTime('UTC')
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{database}/media_claims', '{shard}-{replica}')
ORDER BY (kind, id, epoch)
TTL until
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- 00181_control_exports.sql
ALTER TABLE control
    MODIFY TTL toDateTime(inserted_at) + INTERVAL 30 DAY DELETE
    WHERE kind = 'sealing_key' OR (kind = 'export' AND author = 'service:exports' AND JSONExtractString(value, 'state') IN ('queued', 'running'));

