const organization = { kind: "work", anonymous_join: true, enforce_webinar_roles: false, lobby_bypass: "org_users", withdrawn: [], require_consent: false };
const meeting = { kind: "scheduled", organizer_lobby_bypass: "", lobby_bypass: "", withdrawn: [], organizer_withdrawn: [], recording: false, transcribing: false };
const participant = { kind: "guest", state: "admitted", admitted_by_org_user: true, organizer: false, invited: false, presenter: false, room_device: false, consented: false };
const session = { org_users: 1, participants: 2, chat_members: 2, room_device: false };

/** What a decision is made from. */
export type Input = Record<string, unknown>;

/** A guest who was let in. */
export const GUEST_INSIDE: Input = { action: "use", capability: "sendChat", organization, meeting, participant, session };

/** A copy of chat that an application's guest has, with no retention policy for it. */
const COPY: Input = { kept: { resource: "22222222-2222-4222-8222-222222222222", policies: [] } };

/** Whether an input is one on how long something is kept. */
export const isOfKept = (input: Input): boolean => "kept" in input;

/** Decisions that everybody wonders about, for when none is recorded yet. */
export const TYPICAL: Readonly<Record<string, Input>> = {
  typical: GUEST_INSIDE,
  join: { action: "join", capability: "", organization, meeting, participant: { ...participant, state: "new", admitted_by_org_user: false }, session: { ...session, participants: 1, chat_members: 1 } },
  kept: COPY,
};
