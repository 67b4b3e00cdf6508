import { AnteroomError, type MeetingLocator } from "@anteroom/client";

/** Who is signed in at this service. */
export interface SignedIn {
  name: string;
  /** The organisation's id. */
  organization: string;
}

/** What may be known of a meeting before joining it. */
export interface MeetingInfo {
  /** The hosting organisation's id and name. */
  organization: string;
  organizationName: string;
}

/** The signed-in user; undefined: nobody, so that one joins as a guest. */
export async function signedIn(): Promise<SignedIn | undefined> {
  const response = await fetch("/v1/session").catch(() => undefined);
  if (!response?.ok) return undefined;
  const body = (await response.json()) as { name: string; subject: string; organization: string | null; roles: string[] };
  if (!body.organization || !body.roles.includes("org_user")) return undefined;
  return { name: body.name || body.subject, organization: body.organization };
}

/** Whose meeting it is. Fails with AnteroomError, reason `meeting_not_found` for a link that leads nowhere. */
export async function meetingInfo({ meetingId, secret }: MeetingLocator): Promise<MeetingInfo> {
  const response = await fetch(`/v1/join-page/meetings/${encodeURIComponent(meetingId)}`, { headers: { "Anteroom-Meeting-Secret": secret } }).catch(unreachable);
  if (!response.ok) throw await refused(response);
  const body = (await response.json()) as { organization: string; organization_name: string };
  return { organization: body.organization, organizationName: body.organization_name };
}

/** A token for a guest of this page, which is a resource of its own. Each works once. Fails with AnteroomError. */
export async function guestToken(): Promise<string> {
  const response = await fetch("/v1/join-page/token", { method: "POST" }).catch(unreachable);
  if (!response.ok) throw await refused(response);
  return ((await response.json()) as { guest_token: string }).guest_token;
}

/** Where to sign in as somebody of the organisation, to come back here afterwards. */
export function signInUrl(organization: string): string {
  return `/login?${new URLSearchParams({ org: organization, return_to: location.pathname })}`;
}

/** Ends the session of this browser. Fails with AnteroomError. */
export async function signOut(): Promise<void> {
  const response = await fetch("/logout", { method: "POST" }).catch(unreachable);
  if (!response.ok) throw await refused(response);
  if (response.status === 200) location.assign(((await response.json()) as { sign_out_url: string }).sign_out_url);
}

function unreachable(): never {
  throw new AnteroomError("connection_failed", "The meeting server can't be reached. Check the network, then try again.");
}

/** The error of a problem answer (RFC 9457); its `reason` is the stable id. */
async function refused(response: Response): Promise<AnteroomError> {
  const problem = (await response.json().catch(() => ({}))) as { reason?: string; detail?: string; title?: string };
  const fallback = response.status === 404 || response.status === 422 ? "meeting_not_found" : response.status === 429 ? "rate_limited" : "internal";
  return new AnteroomError(problem.reason ?? fallback, problem.detail ?? problem.title ?? "The meeting server refused. Try again.");
}
