import { Call } from "./call.js";
import { DeviceManager, type LocalVideoStream } from "./devices.js";
import { AnteroomError } from "./errors.js";
import type { ClientInfo, Join, Resume } from "./protocol.js";

/** The path of the WebSocket on the server. */
export const CONNECT_PATH = "/v1/connect";

/** The two parts of a meeting's link. */
export interface MeetingLocator {
  meetingId: string;
  secret: string;
}

/** Where to join, as whom, with what. */
export interface JoinOptions {
  /** The service, such as `https://meet.example.org`; default: the host of the meeting's link, or of this page. */
  serverUrl?: string;
  /** The meeting's link, or its two parts. */
  meeting: string | MeetingLocator;
  /** Gets a fresh guest token from your own server: each works once. */
  token?: () => Promise<string>;
  /** Gets the token of a user of the hosting organisation. With neither, the page's own session counts. */
  userToken?: () => Promise<string>;
  /** A guest's name, 1 to 256 characters. Org users' names are their identity provider's. */
  displayName?: string;
  /** Whether to open the microphone, and whether it is muted at the start. Default: open and muted. */
  audio?: { enabled?: boolean; muted?: boolean };
  /** A camera that is on at the start. */
  camera?: LocalVideoStream;
  client?: ClientInfo;
}

/** How to come back after the page was loaded anew. */
export interface ResumeOptions {
  /** The service; default: the host of this page. */
  serverUrl?: string;
  /** The last `Call.resumeToken`. */
  resumeToken: string;
  /** As for joining. */
  audio?: { enabled?: boolean; muted?: boolean };
  camera?: LocalVideoStream;
}

/** CallClient joins meetings. One of it per page is enough. */
export class CallClient {
  #devices: DeviceManager | undefined;

  /** The cameras, microphones and speakers of all calls of this client. */
  get deviceManager(): DeviceManager {
    return (this.#devices ??= new DeviceManager());
  }

  /**
   * Goes to the door of a meeting. The call is then InLobby or Connected; listen to its `stateChanged`. Fails with AnteroomError when
   * joining is refused or the server can't be reached.
   */
  async join(options: JoinOptions): Promise<Call> {
    const { meetingId, secret, origin } = locate(options.meeting);
    const token = await options.token?.();
    const userToken = await options.userToken?.();
    return this.#start(options.serverUrl ?? origin, options, {
      meeting: meetingId,
      secret,
      ...(token && { guest_token: token }),
      ...(userToken && { user_token: userToken }),
      ...(options.displayName && { display_name: options.displayName }),
      client: options.client ?? browser(),
    });
  }

  /**
   * Comes back to the place that the page before had, waiting or in the meeting. Fails with AnteroomError: with reason `resume_expired` when one
   * was away for longer than the grace, or has left.
   */
  async resume(options: ResumeOptions): Promise<Call> {
    return this.#start(options.serverUrl, options, { resume_token: options.resumeToken });
  }

  async #start(server: string | undefined, options: Pick<JoinOptions, "audio" | "camera">, join: Join | Resume): Promise<Call> {
    const url = new URL(CONNECT_PATH, server ?? location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const call = new Call({
      url: url.href,
      join,
      devices: this.deviceManager,
      muted: options.audio?.muted ?? true,
      microphone: options.audio?.enabled ?? true,
      camera: options.camera,
    });
    await call.start();
    return call;
  }
}

/** The parts of a meeting's link, `https://HOST/join/MEETING#SECRET`. Fails with reason `invalid_meeting_link`. */
export function parseMeetingLink(link: string): MeetingLocator & { origin: string } {
  const url = URL.canParse(link) ? new URL(link) : undefined;
  const meetingId = url && /\/join\/([^/]+)\/?$/.exec(url.pathname)?.[1];
  const secret = url?.hash.slice(1);
  if (!url || !meetingId || !secret) throw new AnteroomError("invalid_meeting_link", "This meeting link is not complete. Copy the whole link from the invitation.");
  return { meetingId: decodeURIComponent(meetingId), secret, origin: url.origin };
}

function locate(meeting: string | MeetingLocator): MeetingLocator & { origin?: string } {
  return typeof meeting === "string" ? parseMeetingLink(meeting) : meeting;
}

/** The browser's family, major version and system, nothing that tells one user from another. */
function browser(): ClientInfo {
  const agent = navigator.userAgent;
  const [, family, version] = /(Firefox|Edg|Chrome|Version)\/(\d+)/.exec(agent.replace(/Chrome(?=.*Edg\/)/, "")) ?? [];
  const os = /Windows|Android|iPhone|iPad|Mac OS|CrOS|Linux/.exec(agent)?.[0];
  const name = family === "Version" ? "Safari" : family === "Edg" ? "Edge" : family;
  return { kind: "browser", ...(name && { family: name }), ...(version && { version }), ...(os && { os }) };
}
