import { AnteroomError } from "./errors.js";
import { SUBPROTOCOL, type Ended, type Frame, type Requests, type ServerEvents } from "./protocol.js";

/** How long a reply may take, in milliseconds. */
const REPLY_TIMEOUT_MS = 15_000;
/** How often the connection is probed, in milliseconds: two probes without an answer mean that it is lost. */
const PING_INTERVAL_MS = 5_000;
const OPEN_TIMEOUT_MS = 10_000;

/** What a connection tells. */
export interface ConnectionEvents {
  /** An event of the server, in the order sent. */
  event<K extends keyof ServerEvents>(type: K, body: ServerEvents[K]): void;
  /** The connection is closed; `ended` is the server's word, undefined if it was lost. Called once. */
  closed(ended: Ended | undefined): void;
}

interface Pending {
  resolve(body: unknown): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

/** Connection is one WebSocket: requests with replies, events, probes. It never comes back; Session makes a new one. */
export class Connection {
  readonly #socket: WebSocket;
  readonly #events: ConnectionEvents;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #ended: Ended | undefined;
  #closed = false;
  #ping: ReturnType<typeof setInterval> | undefined;

  private constructor(socket: WebSocket, events: ConnectionEvents) {
    this.#socket = socket;
    this.#events = events;
  }

  /** Opens a connection to `url` (ws: or wss:). Fails with reason `connection_failed`. */
  static open(url: string, events: ConnectionEvents): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, SUBPROTOCOL);
      const connection = new Connection(socket, events);
      const failed = (): void => {
        clearTimeout(timer);
        reject(new AnteroomError("connection_failed", "The meeting server can't be reached. Check the network, then try again."));
        socket.onopen = socket.onclose = null;
        socket.close();
      };
      const timer = setTimeout(failed, OPEN_TIMEOUT_MS);
      socket.onclose = failed;
      socket.onopen = () => {
        clearTimeout(timer);
        connection.#listen();
        resolve(connection);
      };
    });
  }

  /** Sends a request; resolves with the reply's body, or fails with AnteroomError. */
  request<K extends keyof Requests>(type: K, body: Requests[K]["body"]): Promise<Requests[K]["reply"]> {
    if (this.#closed) return Promise.reject(lost());
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new AnteroomError("timeout", "The meeting server did not answer in time. Try again."));
      }, REPLY_TIMEOUT_MS);
      this.#pending.set(id, { resolve: (reply) => resolve(reply as Requests[K]["reply"]), reject, timer });
      this.#socket.send(JSON.stringify({ type, id, body } satisfies Frame));
    });
  }

  /** Closes the connection, as if it had been lost. */
  close(): void {
    this.#socket.close(1000);
    this.#close();
  }

  #listen(): void {
    this.#socket.onmessage = (message) => {
      if (!this.#closed && typeof message.data === "string") this.#receive(JSON.parse(message.data) as Frame);
    };
    this.#socket.onclose = () => this.#close();
    let waiting = 0;
    this.#ping = setInterval(() => {
      if (waiting >= 2) {
        this.close();
        return;
      }
      waiting++;
      this.request("ping", {}).then(
        () => (waiting = 0),
        () => undefined,
      );
    }, PING_INTERVAL_MS);
  }

  #receive(frame: Frame): void {
    if (frame.type === "reply") {
      const pending = this.#pending.get(frame.id ?? 0);
      if (!pending) return;
      this.#pending.delete(frame.id ?? 0);
      clearTimeout(pending.timer);
      if (frame.error) pending.reject(AnteroomError.of(frame.error));
      else pending.resolve(frame.body ?? {});
      return;
    }
    if (frame.type === "ended") {
      this.#ended = frame.body as Ended;
      this.close();
      return;
    }
    // An event that this version doesn't know has no listener: newer servers may send more.
    const type = frame.type as keyof ServerEvents;
    this.#events.event(type, frame.body as ServerEvents[typeof type]);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#ping);
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(lost());
    }
    this.#pending.clear();
    this.#events.closed(this.#ended);
  }
}

function lost(): AnteroomError {
  return new AnteroomError("connection_lost", "The connection to the meeting was lost before this was done. It may or may not have been.");
}
