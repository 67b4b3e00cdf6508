/** Join Anteroom meetings from a web page. Start with CallClient. */
export { CallClient, parseMeetingLink, type JoinOptions, type MeetingLocator, type ResumeOptions } from "./call-client.js";
export { Call, type CallEndReason, type CallEvents, type CallState } from "./call.js";
export { Chat, type ChatEvents, type Message } from "./chat.js";
export {
  DeviceManager, LocalVideoStream, measureLevel,
  type AudioDeviceInfo, type DeviceAccess, type DeviceManagerEvents, type VideoDeviceInfo,
} from "./devices.js";
export { UserFacingDiagnostics, type DiagnosticChanged, type DiagnosticName, type DiagnosticQuality, type DiagnosticValues } from "./diagnostics.js";
export type { Emitter, Listener } from "./emitter.js";
export { AnteroomError } from "./errors.js";
export {
  Activities, Capabilities, Lobby, Notices, Recording, Transcription,
  type ActivitiesEvents, type Capability, type CapabilityName, type LobbyEvents, type NoticesEvents, type RecordingEvents, type TranscriptionEvents,
} from "./features.js";
export { MediaStats, type Aggregate, type MediaStatsEvents, type MediaStatsSample, type MediaStatsSummary, type StreamSample, type StreamSummary, type TransportSample } from "./media-stats.js";
export { RemoteParticipant, type LobbyParticipant, type RemoteParticipantEvents } from "./participants.js";
export type { Activity, ActivityKind, ClientInfo, FileLink, Notice, NoticeKind, ParticipantKind, Survey } from "./protocol.js";
export { RemoteVideoStream, type RemoteVideoStreamEvents } from "./streams.js";
