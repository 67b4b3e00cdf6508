import type { Call, Message } from "@anteroom/client";
import { announce, ask, clock, fillRows, h, personName, type Scope } from "./dom.js";
import { problem, whyNot } from "./texts.js";

const TYPING_MS = 4_000;
const REACTIONS = ["👍", "❤️", "😂", "😮"];

/** The chat: messages, who types, who has read, and what to write next. `nameOf` is a participant's name, undefined for those who are gone. */
export class ChatView {
  readonly element: HTMLElement;
  readonly #call: Call;
  readonly #nameOf: (id: string) => string | undefined;
  readonly #list = h("ol", { class: "messages" });
  readonly #log = h("div", { class: "log", attrs: { role: "log", "aria-label": "Messages", tabindex: 0 } }, this.#list);
  readonly #empty = h("p", { class: "quiet empty" }, "No messages yet. What is written here is for everybody in the meeting.");
  readonly #older = h("button", { class: "link", attrs: { type: "button" }, on: { click: () => void this.#call.chat.loadOlder().catch((e: unknown) => this.#fail(e)) } }, "Show older messages");
  readonly #typing = h("p", { class: "typing", attrs: { "aria-live": "polite" } });
  readonly #error = h("p", { class: "field-error", attrs: { role: "alert" } });
  readonly #closed = h("p", { class: "quiet" });
  readonly #mode = h("p", { class: "mode" });
  readonly #text = h("textarea", { id: "chat-text", class: "input", attrs: { rows: 2, maxlength: 8000, autocomplete: "off", "aria-label": "Message", placeholder: "Write a message" } });
  readonly #form: HTMLFormElement;
  readonly #fileButton: HTMLButtonElement;
  readonly #typers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #readers = new Map<string, string>();
  #editing: Message | undefined;
  #replyTo: Message | undefined;
  #visible = false;
  /** Called with how many messages are unread. */
  onUnread: (count: number) => void = () => undefined;
  #unread = 0;

  constructor(call: Call, scope: Scope, nameOf: (id: string) => string | undefined) {
    this.#call = call;
    this.#nameOf = nameOf;
    this.#text.addEventListener("keydown", (event) => this.#key(event));
    this.#text.addEventListener("input", () => call.chat.sendTypingNotification());
    this.#fileButton = h("button", { class: "button", attrs: { type: "button" }, on: { click: () => void this.#shareFile() } }, "Share a file link");
    this.#form = h(
      "form",
      { class: "composer", on: { submit: (event) => void this.#submit(event) } },
      this.#mode,
      this.#text,
      h("div", { class: "row end" }, this.#fileButton, h("button", { class: "button primary", attrs: { type: "submit" } }, "Send")),
    );
    this.element = h("div", { class: "chat" }, this.#older, this.#empty, this.#log, this.#typing, this.#error, this.#closed, this.#form);
    scope.add(
      call.chat.on("changed", () => this.#render()),
      call.chat.on("messageReceived", (message) => this.#received(message)),
      call.chat.on("typingIndicatorReceived", ({ participantId }) => this.#typed(participantId)),
      call.chat.on("readReceiptReceived", ({ participantId, messageId }) => {
        this.#readers.set(participantId, messageId);
        this.#render();
      }),
      call.capabilities.on("capabilitiesChanged", () => this.#render()),
      () => this.#typers.forEach((timer) => clearTimeout(timer)),
    );
    this.#render();
  }

  /** Tells the view whether it is seen: what is seen is read. */
  setVisible(visible: boolean): void {
    this.#visible = visible;
    if (!visible) return;
    this.#unread = 0;
    this.onUnread(0);
    this.#markRead();
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  #can(name: Parameters<Call["capabilities"]["get"]>[0]): boolean {
    return this.#call.capabilities.get(name).isPresent;
  }

  #render(): void {
    const chat = this.#call.chat;
    const atEnd = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 40;
    const receives = this.#can("receiveChat");
    fillRows(this.#list, chat.messages.map((message) => this.#line(message)));
    this.#empty.hidden = chat.messages.length > 0 || !receives;
    this.#log.hidden = chat.messages.length === 0;
    this.#older.hidden = !chat.hasOlder;
    this.#form.hidden = !this.#can("sendChat");
    this.#fileButton.hidden = !this.#can("shareFile");
    this.#closed.textContent = receives && this.#can("sendChat") ? "" : `There is no chat for you. ${whyNot(this.#call.capabilities.get("sendChat").reason)}`;
    if (atEnd) this.#log.scrollTop = this.#log.scrollHeight;
  }

  #line(message: Message): HTMLElement {
    const mine = this.#call.chat.isMine(message);
    const answered = message.reply_to ? this.#call.chat.messages.find((m) => m.message_id === message.reply_to) : undefined;
    const seen = [...this.#readers.values()].filter((id) => id === message.message_id).length;
    const reactions = Object.entries(message.reactions ?? {}).filter(([, count]) => count > 0);
    return h(
      "li",
      { class: mine ? "message mine" : "message", key: message.message_id },
      h("div", { class: "message-head" }, personName(message.display_name, message.external), h("time", { attrs: { datetime: message.sent_at } }, clock(message.sent_at))),
      message.reply_to !== undefined && h("blockquote", { class: "reply" }, answered ? answered.text.slice(0, 120) : "An earlier message"),
      h("div", { class: "message-text", attrs: { dir: "auto" } }, message.text),
      message.file && fileLink(message.file),
      h("div", { class: "row message-actions" }, message.edited_at !== undefined && h("span", { class: "quiet" }, "Edited"), reactions.length > 0 && h("span", {}, reactions.map(([r, n]) => `${r} ${n}`).join("  ")), mine && seen > 0 && h("span", { class: "quiet" }, `Seen by ${seen}`), ...this.#actions(message, mine)),
    );
  }

  #actions(message: Message, mine: boolean): HTMLElement[] {
    const action = (label: string, click: () => void): HTMLElement =>
      h("button", { class: "link", attrs: { type: "button", "aria-label": `${label}: message of ${message.display_name}, ${clock(message.sent_at)}` }, on: { click } }, label);
    const actions: HTMLElement[] = [];
    if (this.#can("replyChat")) actions.push(action("Reply", () => this.#setMode(undefined, message)));
    if (this.#can("reactChat")) for (const reaction of REACTIONS) actions.push(action(reaction, () => void this.#call.chat.react(message.message_id, reaction).catch((e: unknown) => this.#fail(e))));
    if (mine && this.#can("editChat")) actions.push(action("Edit", () => this.#setMode(message, undefined)));
    if (mine && this.#can("deleteChat")) actions.push(action("Delete", () => void this.#delete(message)));
    return actions;
  }

  #setMode(editing: Message | undefined, replyTo: Message | undefined): void {
    this.#editing = editing;
    this.#replyTo = replyTo;
    const text = editing ? "Editing your message. " : replyTo ? `Replying to ${replyTo.display_name}. ` : "";
    this.#mode.replaceChildren(...(text ? [text, h("button", { class: "link", attrs: { type: "button" }, on: { click: () => this.#setMode(undefined, undefined) } }, "Cancel")] : []));
    if (editing) this.#text.value = editing.text;
    else if (!replyTo) this.#text.value = "";
    this.#text.focus();
  }

  #key(event: KeyboardEvent): void {
    if (event.key === "Escape" && (this.#editing || this.#replyTo)) {
      event.stopPropagation();
      this.#setMode(undefined, undefined);
    }
    // While letters are being composed, Enter chooses among them.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  async #submit(event: Event): Promise<void> {
    event.preventDefault();
    const text = this.#text.value.trim();
    if (text === "") return;
    const [editing, replyTo] = [this.#editing, this.#replyTo];
    this.#error.textContent = "";
    this.#text.readOnly = true;
    try {
      if (editing) await this.#call.chat.edit(editing.message_id, text);
      else await this.#call.chat.send(text, replyTo ? { replyTo: replyTo.message_id } : {});
      this.#text.value = "";
      this.#setMode(undefined, undefined);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#text.readOnly = false;
    }
  }

  async #delete(message: Message): Promise<void> {
    if (!(await ask("Delete this message?", "It is taken away from everybody in the meeting.", "Delete"))) return;
    await this.#call.chat.delete(message.message_id).catch((error: unknown) => this.#fail(error));
  }

  async #shareFile(): Promise<void> {
    const name = h("input", { id: "file-name", class: "input", attrs: { required: true, maxlength: 255, autocomplete: "off" } });
    const url = h("input", { id: "file-url", class: "input", attrs: { type: "url", autocomplete: "off", required: true, placeholder: "https://", pattern: "https://.*" } });
    const dialog = h(
      "dialog",
      { class: "dialog", attrs: { "aria-labelledby": "file-title" } },
      h("h2", { id: "file-title" }, "Share a link to a file"),
      h(
        "form",
        { class: "stack", attrs: { method: "dialog" } },
        h("div", { class: "field" }, h("label", { attrs: { for: "file-name" } }, "Name of the file"), name),
        h("div", { class: "field" }, h("label", { attrs: { for: "file-url" } }, "Address, beginning with https://"), url),
        h("div", { class: "row end" }, h("button", { class: "button", attrs: { type: "submit", value: "", formnovalidate: true } }, "Cancel"), h("button", { class: "button primary", attrs: { type: "submit", value: "share" } }, "Share")),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    dialog.remove();
    if (dialog.returnValue !== "share") return;
    await this.#call.chat.send(name.value, { file: { name: name.value, url: url.value } }).catch((error: unknown) => this.#fail(error));
  }

  #received(message: Message): void {
    this.#stopTyping(message.participant_id);
    if (this.#call.chat.isMine(message)) return;
    if (this.#visible && !document.hidden) {
      this.#markRead();
      return;
    }
    this.#unread++;
    this.onUnread(this.#unread);
    announce(`Message of ${message.display_name}: ${message.text.slice(0, 200)}`);
  }

  #markRead(): void {
    const last = this.#call.chat.messages.findLast((m) => !this.#call.chat.isMine(m));
    if (last && this.#can("sendReadReceipts")) this.#call.chat.sendReadReceipt(last.message_id);
  }

  #typed(id: string): void {
    clearTimeout(this.#typers.get(id));
    this.#typers.set(id, setTimeout(() => this.#stopTyping(id), TYPING_MS));
    this.#showTyping();
  }

  #stopTyping(id: string): void {
    clearTimeout(this.#typers.get(id));
    if (this.#typers.delete(id)) this.#showTyping();
  }

  #showTyping(): void {
    const names = [...this.#typers.keys()].map((id) => this.#nameOf(id)).filter((name) => name !== undefined);
    this.#typing.textContent = names.length === 0 ? "" : names.length === 1 ? `${names[0]} is typing …` : `${names.length} people are typing …`;
  }

  #fail(error: unknown): void {
    this.#error.textContent = problem(error);
  }
}

/** A link to a file; only to the web, whatever was sent. */
function fileLink(file: { name: string; url: string }): HTMLElement {
  const safe = URL.canParse(file.url) && ["https:", "http:"].includes(new URL(file.url).protocol);
  return h("div", { class: "file" }, "File: ", safe ? h("a", { attrs: { href: file.url, target: "_blank", rel: "noopener noreferrer" } }, file.name) : file.name);
}
