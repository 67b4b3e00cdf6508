/** Who is signed in. */
export interface Session {
  name: string | null;
  subject: string;
  organization: string | null;
  roles: string[];
}

/** A meeting as its organiser sees it. */
export interface Meeting {
  id: string;
  title: string;
  join_url: string;
  updated_at: string;
}

/** A refusal in plain English. */
export class Refused extends Error {}

/** Who is signed in; undefined: nobody. */
export async function session(): Promise<Session | undefined> {
  const response = await ask("/v1/session");
  if (response.status === 401) return undefined;
  return (await read(response)) as Session;
}

/** The newest meetings that one may see. */
export async function meetings(): Promise<Meeting[]> {
  return ((await read(await ask("/v1/meetings"))) as { meetings: Meeting[] }).meetings;
}

/** Makes a meeting. */
export async function newMeeting(title: string): Promise<Meeting> {
  const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ title }) };
  return (await read(await ask("/v1/meetings", init))) as Meeting;
}

/** Ends the session. */
export async function signOut(): Promise<void> {
  const response = await ask("/logout", { method: "POST" });
  if (!response.ok) await read(response);
  if (response.status === 200) location.assign(((await response.json()) as { sign_out_url: string }).sign_out_url);
}

function ask(path: string, init?: RequestInit): Promise<Response> {
  return fetch(path, init).catch(() => {
    throw new Refused("Anteroom can't be reached. Check that it runs, then load the page again.");
  });
}

async function read(response: Response): Promise<unknown> {
  if (response.ok) return response.json();
  const problem = (await response.json().catch(() => ({}))) as { detail?: string; request_id?: string };
  throw new Refused(`${problem.detail ?? "Something went wrong."} (Request ${problem.request_id ?? "unknown"})`);
}
