import { Connection } from "./connection.js";
import { AnteroomError } from "./errors.js";
import type { Ended, Join, Joined, Requests, Resume, ServerEvents } from "./protocol.js";

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 4_000;
/** A node that was lost is taken over by another one: worth trying a little beyond the grace, in milliseconds. */
const BEYOND_GRACE_MS = 10_000;

/** What a session tells the call. */
export interface SessionEvents {
  event<K extends keyof ServerEvents>(type: K, body: ServerEvents[K]): void;
  /** The connection was lost; the session tries to resume. */
  reconnecting(): void;
  /** The session goes on over a new connection. */
  resumed(joined: Joined): void;
  /** What a later page comes back with. */
  token(resumeToken: string): void;
  /** It is over, for good. Called once. */
  ended(ended: Ended): void;
}

/**
 * Session is one stay in a meeting over one or more connections. A lost connection is taken up with the resume token,
 * with growing, jittered pauses, at once when the browser says that the network is back.
 */
export class Session {
  readonly #url: string;
  readonly #events: SessionEvents;
  #connection: Connection | undefined;
  #resumeToken = "";
  #resumeMs = 20_000;
  /** No more tries to resume. */
  #over = false;
  /** The end was told. */
  #told = false;
  #wake: (() => void) | undefined;
  readonly #online = (): void => this.#wake?.();

  constructor(url: string, events: SessionEvents) {
    this.#url = url;
    this.#events = events;
  }

  /** Connects and joins, or comes back to the place of a resume token. Fails with AnteroomError. */
  async join(join: Join | Resume): Promise<Joined> {
    const connection = await this.#open();
    try {
      const joined = await ("resume_token" in join ? connection.request("resume", join) : connection.request("join", join));
      this.#accept(connection, joined);
      globalThis.addEventListener?.("online", this.#online);
      return joined;
    } catch (error) {
      this.#over = true;
      connection.close();
      throw error;
    }
  }

  /** Sends a request; while reconnecting it fails with `connection_lost`. */
  request<K extends keyof Requests>(type: K, body: Requests[K]["body"]): Promise<Requests[K]["reply"]> {
    if (!this.#connection) return Promise.reject(new AnteroomError("connection_lost", "There is no connection to the meeting just now. Try again in a moment."));
    return this.#connection.request(type, body);
  }

  /** Sends a request whose failure changes nothing for the caller. */
  tell<K extends keyof Requests>(type: K, body: Requests[K]["body"]): void {
    this.request(type, body).catch(() => undefined);
  }

  /** Leaves, and closes the connection whatever the answer. */
  async leave(): Promise<void> {
    const connection = this.#connection;
    this.#over = true;
    this.#wake?.();
    try {
      await connection?.request("leave", {});
    } catch {
      // The server takes who vanished for gone.
    } finally {
      connection?.close();
      this.#end({ reason: "left", message: "You left the meeting." });
    }
  }

  #accept(connection: Connection, joined: Joined): void {
    this.#connection = connection;
    this.#setToken(joined.resume_token);
    this.#resumeMs = joined.resume_seconds * 1000;
  }

  #setToken(token: string): void {
    this.#resumeToken = token;
    this.#events.token(token);
  }

  #open(): Promise<Connection> {
    let early = true;
    const opening = Connection.open(this.#url, {
      event: (type, body) => {
        if (type === "resume_token") this.#setToken((body as ServerEvents["resume_token"]).resume_token);
        else this.#events.event(type, body);
      },
      closed: (ended) => {
        if (early) return;
        opening.then((connection) => this.#closed(connection, ended)).catch(() => undefined);
      },
    });
    return opening.finally(() => (early = false));
  }

  #closed(connection: Connection, ended: Ended | undefined): void {
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    if (ended && !ended.resume) this.#end(ended);
    else if (!this.#over) void this.#resume();
  }

  async #resume(): Promise<void> {
    this.#events.reconnecting();
    const deadline = Date.now() + this.#resumeMs + BEYOND_GRACE_MS;
    for (let pause = FIRST_RETRY_MS; Date.now() < deadline; pause = Math.min(pause * 2, LONGEST_RETRY_MS)) {
      await this.#sleep(pause * (0.5 + Math.random() / 2));
      if (this.#over) return;
      let connection: Connection | undefined;
      try {
        connection = await this.#open();
        const joined = await connection.request("resume", { resume_token: this.#resumeToken });
        if (this.#over) {
          connection.close();
          return;
        }
        this.#accept(connection, joined);
        this.#events.resumed(joined);
        return;
      } catch (error) {
        connection?.close();
        if (error instanceof AnteroomError && isFinal(error.reason)) {
          this.#end({ reason: error.reason, message: error.message });
          return;
        }
      }
    }
    this.#end({ reason: "connection_lost", message: "The connection to the meeting was lost and could not be made again. Check the network, then join again." });
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #end(ended: Ended): void {
    if (this.#told) return;
    this.#told = true;
    this.#over = true;
    this.#connection = undefined;
    globalThis.removeEventListener?.("online", this.#online);
    this.#events.ended(ended);
  }
}

/** Reasons that another try can't change. */
function isFinal(reason: string): boolean {
  return !["connection_failed", "connection_lost", "timeout", "rate_limited", "shutting_down", "internal", "events_unavailable"].includes(reason);
}
