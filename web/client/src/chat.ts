import { Emitter } from "./emitter.js";
import type { ChatBy, ChatEdited, ChatMessage, FileLink } from "./protocol.js";
import type { Session } from "./session.js";

/** One message as it is now. */
export type Message = Readonly<ChatMessage>;

export interface ChatEvents {
  /** A message came, one's own included. */
  messageReceived: Message;
  messageEdited: Message;
  messageDeleted: { messageId: string };
  /** Somebody types; it holds for a few seconds. */
  typingIndicatorReceived: { participantId: string };
  /** Somebody has read up to this message. */
  readReceiptReceived: { participantId: string; messageId: string };
  /** The messages changed in any way. */
  changed: readonly Message[];
}

/** Who oneself is, as the others see it. */
export interface Author {
  id: string;
  displayName: string;
  isExternal: boolean;
}

/** How often typing is told at most, in milliseconds. */
const TYPING_INTERVAL_MS = 1_500;

/**
 * Chat has the messages that one was present and allowed for. After leaving there are none: `messages` is emptied, and the server gives none.
 */
export class Chat extends Emitter<ChatEvents> {
  readonly #session: Session;
  readonly #self: () => Author;
  #messages: Message[] = [];
  #typedAt = 0;
  #readUpTo = "";
  #more = false;

  constructor(session: Session, self: () => Author) {
    super();
    this.#session = session;
    this.#self = self;
  }

  /** Oldest first. */
  get messages(): readonly Message[] {
    return this.#messages;
  }

  /** Whether `loadOlder` would find more. */
  get hasOlder(): boolean {
    return this.#more;
  }

  /** Whether a message is one's own. */
  isMine(message: Message): boolean {
    return message.participant_id === this.#self().id;
  }

  /** Sends a message; resolves with its id once it is kept. `replyTo` and `file` are for org users. */
  async send(text: string, options: { replyTo?: string; file?: FileLink } = {}): Promise<string> {
    const extra = { ...(options.replyTo && { reply_to: options.replyTo }), ...(options.file && { file: options.file }) };
    const sent = await this.#session.request("chat_send", { text, ...extra });
    this.#typedAt = 0;
    // The server tells everybody but the author.
    const { id, displayName, isExternal } = this.#self();
    this.receive({ message_id: sent.message_id, participant_id: id, display_name: displayName, external: isExternal, text, sent_at: sent.sent_at, ...extra });
    return sent.message_id;
  }

  /** Replaces the text of one's own message. */
  async edit(messageId: string, text: string): Promise<void> {
    await this.#session.request("chat_edit", { message_id: messageId, text });
    this.edited({ message_id: messageId, text, edited_at: new Date().toISOString() });
  }

  /** Deletes one's own message. */
  async delete(messageId: string): Promise<void> {
    await this.#session.request("chat_delete", { message_id: messageId });
    this.deleted({ participant_id: this.#self().id, message_id: messageId });
  }

  /** Reacts to a message; "" takes the reaction back. Org users only. */
  async react(messageId: string, reaction: string): Promise<void> {
    await this.#session.request("chat_react", { message_id: messageId, reaction });
    this.reacted();
  }

  /** Tells the others that one types: call it on each key. */
  sendTypingNotification(): void {
    if (Date.now() - this.#typedAt < TYPING_INTERVAL_MS) return;
    this.#typedAt = Date.now();
    this.#session.tell("chat_typing", {});
  }

  /** Tells the others that one has read up to this message. */
  sendReadReceipt(messageId: string): void {
    if (messageId === this.#readUpTo) return;
    this.#readUpTo = messageId;
    this.#session.tell("chat_read", { message_id: messageId });
  }

  /** Loads messages from before the oldest one at hand. */
  async loadOlder(limit = 50): Promise<void> {
    const before = this.#messages[0]?.message_id;
    const older = await this.#session.request("chat_history", { ...(before && { before }), limit });
    const known = new Set(this.#messages.map((m) => m.message_id));
    this.#messages = [...(older.messages ?? []).filter((m) => !known.has(m.message_id)), ...this.#messages];
    this.#more = older.more;
    this.emit("changed", this.#messages);
  }

  /** For this library: loads what was missed. */
  async reload(): Promise<void> {
    const newest = await this.#session.request("chat_history", { limit: 200 });
    const loaded = newest.messages ?? [];
    const ids = new Set(loaded.map((m) => m.message_id));
    // Messages that arrived while the answer was on its way are newer than all of it.
    const since = loaded.at(-1)?.sent_at ?? "";
    this.#messages = [...loaded, ...this.#messages.filter((m) => !ids.has(m.message_id) && m.sent_at > since)];
    this.#more = newest.more;
    this.emit("changed", this.#messages);
  }

  /** For this library: nothing may stay. */
  clear(): void {
    this.#messages = [];
    this.#more = false;
    this.emit("changed", this.#messages);
  }

  /** For this library. */
  receive(message: ChatMessage): void {
    if (this.#messages.some((m) => m.message_id === message.message_id)) return;
    this.#messages = [...this.#messages, message];
    this.emit("messageReceived", message);
    this.emit("changed", this.#messages);
  }

  /** For this library. */
  edited(edit: ChatEdited): void {
    const message = this.#replace(edit.message_id, (m) => ({ ...m, text: edit.text, edited_at: edit.edited_at }));
    if (message) this.emit("messageEdited", message);
  }

  /** For this library. */
  deleted(by: ChatBy): void {
    this.#messages = this.#messages.filter((m) => m.message_id !== by.message_id);
    this.emit("messageDeleted", { messageId: by.message_id ?? "" });
    this.emit("changed", this.#messages);
  }

  /** For this library: counts are the server's, so they are asked for. */
  reacted(): void {
    void this.reload().catch(() => undefined);
  }

  /** For this library. */
  typing(by: ChatBy): void {
    if (by.participant_id !== this.#self().id) this.emit("typingIndicatorReceived", { participantId: by.participant_id });
  }

  /** For this library. */
  read(by: ChatBy): void {
    if (by.participant_id !== this.#self().id) this.emit("readReceiptReceived", { participantId: by.participant_id, messageId: by.message_id ?? "" });
  }

  #replace(id: string, change: (message: Message) => Message): Message | undefined {
    const index = this.#messages.findIndex((m) => m.message_id === id);
    const before = this.#messages[index];
    if (!before) return undefined;
    const message = change(before);
    this.#messages = this.#messages.with(index, message);
    this.emit("changed", this.#messages);
    return message;
  }
}
