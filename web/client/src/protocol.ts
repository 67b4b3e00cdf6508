/** The messages between a client and a meeting, as `docs/protocol.md` has them. The names of fields are those on the wire. */

/** The WebSocket subprotocol. */
export const SUBPROTOCOL = "anteroom.v1";

/** One message in either direction. */
export interface Frame {
  type: string;
  id?: number;
  body?: unknown;
  error?: ProtocolError;
}

export interface ProtocolError {
  reason: string;
  message: string;
  field?: string;
}

export type ParticipantState = "waiting_for_host" | "in_lobby" | "admitted" | "rejected" | "timeout" | "gone";
export type ParticipantKind = "guest" | "org_user";
export type TrackKind = "audio" | "video" | "screen";
export type PeerSide = "publish" | "subscribe";
export type NoticeKind = "recording_started" | "recording_stopped" | "transcription_started" | "transcription_stopped";
export type ActivityKind =
  | "reaction"
  | "raise_hand"
  | "lower_hand"
  | "poll"
  | "poll_vote"
  | "question"
  | "answer"
  | "together_mode"
  | "breakout_assignment"
  | "slides_live"
  | "captions";

export interface Grant {
  allowed: boolean;
  reason?: string;
}
export type Grants = Record<string, Grant>;

export interface ClientInfo {
  kind?: "browser" | "native" | "bot" | "room_device";
  family?: string;
  version?: string;
  os?: string;
}

export interface Join {
  meeting: string;
  secret: string;
  guest_token?: string;
  user_token?: string;
  display_name?: string;
  client: ClientInfo;
}

export interface Resume {
  resume_token: string;
}

export interface IceServer {
  urls: string[];
  username?: string;
  credential?: string;
}

export interface Joined {
  meeting_title?: string;
  organization: string;
  call_id: string;
  participant_id: string;
  kind: ParticipantKind;
  state: ParticipantState;
  reason?: string;
  capabilities: Grants;
  notices: Notice[] | null;
  resume_token: string;
  resume_seconds: number;
  ice_servers: IceServer[] | null;
  roster?: Participant[];
  lobby?: Waiting[];
  resumed?: boolean;
}

export interface State {
  state: ParticipantState;
  reason?: string;
  message?: string;
  meeting_title?: string;
  capabilities: Grants | null;
  notices?: Notice[];
  roster?: Participant[];
}

export interface CapabilitiesChanged {
  capabilities: Grants;
}

export interface Participant {
  participant_id: string;
  display_name: string;
  kind: ParticipantKind;
  external: boolean;
  room_device?: boolean;
  hand_raised?: boolean;
  tracks: Track[] | null;
  connected: boolean;
}

export interface Track {
  track_id: string;
  kind: TrackKind;
  muted: boolean;
}

export interface ParticipantLeft {
  participant_id: string;
  reason: string;
}

export interface Waiting {
  participant_id: string;
  display_name: string;
  kind: ParticipantKind;
  external: boolean;
  state: "waiting_for_host" | "in_lobby";
  since: string;
}

export interface LobbyUpdated {
  waiting: Waiting[] | null;
}

export interface Invited {
  user: string;
  by: string;
}

export interface SubscribeOffer {
  version: number;
  sdp: string;
  tracks: SubscribedTrack[] | null;
}

export interface SubscribedTrack {
  mid: string;
  track_id: string;
  participant_id: string;
  kind: TrackKind;
}

export interface SubscribeAnswer {
  version: number;
  sdp: string;
}

export interface TrackStopped {
  track_id: string;
  kind: TrackKind;
  reason: string;
}

export interface Muted {
  track_id: string;
  by: string;
}

export interface ActiveSpeakers {
  participant_ids: string[] | null;
}

export interface FileLink {
  name: string;
  url: string;
}

export interface ChatMessage {
  message_id: string;
  participant_id: string;
  display_name: string;
  external: boolean;
  text: string;
  sent_at: string;
  edited_at?: string;
  reply_to?: string;
  file?: FileLink;
  reactions?: Record<string, number>;
}

export interface ChatEdited {
  message_id: string;
  text: string;
  edited_at: string;
}

export interface ChatBy {
  participant_id: string;
  message_id?: string;
  reaction?: string;
}

export interface ChatSend {
  text: string;
  reply_to?: string;
  file?: FileLink;
}

export interface ChatSent {
  message_id: string;
  sent_at: string;
}

export interface ChatEdit {
  message_id: string;
  text: string;
}

export interface ChatMessageRef {
  message_id: string;
}

export interface ChatReact {
  message_id: string;
  reaction: string;
}

export interface ChatHistory {
  before?: string;
  limit?: number;
}

export interface ChatMessages {
  messages: ChatMessage[] | null;
  more: boolean;
}

export interface Activity {
  kind: ActivityKind;
  participant_id?: string;
  data?: unknown;
}

export interface BackgroundEffect {
  effect: "none" | "blur" | "image";
}

export interface SlidesLiveHidden {
  running: boolean;
  reason: string;
}

export interface Notice {
  notice_id: string;
  kind: NoticeKind;
  since: string;
  consent_required?: boolean;
}

export interface NoticeAck {
  notice_id: string;
}

export interface Consent {
  notice_id: string;
  accepted: boolean;
}

export interface ResumeTokenIssued {
  resume_token: string;
}

export interface Ended {
  reason: string;
  message: string;
  resume?: boolean;
}

export interface Participants {
  participant_ids: string[];
}

export interface Target {
  participant_id: string;
}

export interface Mute {
  participant_id: string;
}

export interface AddParticipant {
  user: string;
}

export interface TrackIntent {
  mid: string;
  kind: TrackKind;
  muted?: boolean;
}

export interface Publish {
  sdp: string;
  tracks: TrackIntent[];
}

export interface Published {
  sdp: string;
  tracks: Record<string, string> | null;
}

export interface Candidate {
  peer: PeerSide;
  candidate: string;
  sdpMid?: string;
  sdpMLineIndex?: number;
}

export interface SetTrack {
  track_id: string;
  muted: boolean;
}

export interface ReceiveTrack {
  track_id: string;
  max_height: number;
}

export interface Receive {
  tracks: ReceiveTrack[];
}

export interface TrackStats {
  track_id: string;
  direction: "send" | "receive";
  interval_ms: number;
  jitter_buffer_ms?: number;
  healed_ratio?: number;
  frame_rate?: number;
  frame_height?: number;
  frames?: number;
  frames_dropped?: number;
  freezes?: number;
  freeze_ms?: number;
  packets_discarded?: number;
  available_bitrate_bps?: number;
  local_candidate?: "host" | "srflx" | "prflx" | "relay";
  transport?: "udp" | "tcp" | "tls";
}

export interface Stats {
  tracks: TrackStats[];
}

export interface Diagnostic {
  name: string;
  value: string;
}

export interface Survey {
  ratings: Record<string, number>;
  issues?: Record<string, string[]>;
}

type Empty = Record<string, never>;
type Request<Body, Reply> = { body: Body; reply: Reply };

/** Requests by type: what they carry and what answers them. */
export interface Requests {
  join: Request<Join, Joined>;
  resume: Request<Resume, Joined>;
  leave: Request<Empty, unknown>;
  ping: Request<Empty, unknown>;
  capabilities: Request<Empty, CapabilitiesChanged>;
  roster: Request<Empty, unknown>;
  lobby: Request<Empty, LobbyUpdated>;
  admit: Request<Participants, unknown>;
  admit_all: Request<Empty, unknown>;
  reject: Request<Participants, unknown>;
  add_participant: Request<AddParticipant, unknown>;
  remove: Request<Target, unknown>;
  mute: Request<Mute, unknown>;
  end_meeting: Request<Empty, unknown>;
  publish: Request<Publish, Published>;
  subscribe_answer: Request<SubscribeAnswer, unknown>;
  candidate: Request<Candidate, unknown>;
  set_track: Request<SetTrack, unknown>;
  receive: Request<Receive, unknown>;
  chat_send: Request<ChatSend, ChatSent>;
  chat_edit: Request<ChatEdit, unknown>;
  chat_delete: Request<ChatMessageRef, unknown>;
  chat_react: Request<ChatReact, unknown>;
  chat_typing: Request<Empty, unknown>;
  chat_read: Request<ChatMessageRef, unknown>;
  chat_history: Request<ChatHistory, ChatMessages>;
  activity: Request<Activity, unknown>;
  background_effect: Request<BackgroundEffect, unknown>;
  start_recording: Request<Empty, unknown>;
  stop_recording: Request<Empty, unknown>;
  start_transcription: Request<Empty, unknown>;
  stop_transcription: Request<Empty, unknown>;
  notice_ack: Request<NoticeAck, unknown>;
  consent: Request<Consent, unknown>;
  stats: Request<Stats, unknown>;
  diagnostic: Request<Diagnostic, unknown>;
  survey: Request<Survey, unknown>;
}

/** Events that the server sends unasked, by type. */
export interface ServerEvents {
  state: State;
  capabilities_changed: CapabilitiesChanged;
  participant_joined: Participant;
  participant_updated: Participant;
  participant_left: ParticipantLeft;
  lobby_updated: LobbyUpdated;
  participant_invited: Invited;
  subscribe_offer: SubscribeOffer;
  candidate: Candidate;
  track_stopped: TrackStopped;
  muted: Muted;
  active_speakers: ActiveSpeakers;
  chat_message: ChatMessage;
  chat_edited: ChatEdited;
  chat_deleted: ChatBy;
  chat_reaction: ChatBy;
  chat_typing: ChatBy;
  chat_read: ChatBy;
  activity: Activity;
  notice: Notice;
  resume_token: ResumeTokenIssued;
  slides_live_hidden: SlidesLiveHidden;
  ended: Ended;
}
