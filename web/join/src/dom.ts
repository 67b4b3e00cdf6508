/** Makes elements: what the page needs of a framework. */

type Child = Node | string | undefined | false;

interface Props {
  class?: string;
  id?: string;
  title?: string;
  /** What a row of a list is of, the same for as long as it lives. */
  key?: string;
  /** Attributes as they are written; false and undefined leave one out, true writes it empty. */
  attrs?: Record<string, string | number | boolean | undefined>;
  on?: { [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };
}

/** An element with its properties, listeners and children. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (props.class) element.className = props.class;
  if (props.id) element.id = props.id;
  if (props.title) element.title = props.title;
  if (props.key) element.dataset.key = props.key;
  for (const [name, value] of Object.entries(props.attrs ?? {})) setAttr(element, name, value);
  for (const [type, listener] of Object.entries(props.on ?? {})) element.addEventListener(type, listener as EventListener);
  element.append(...children.filter((child) => child !== undefined && child !== false));
  return element;
}

/** Sets or removes an attribute. */
export function setAttr(element: Element, name: string, value: string | number | boolean | undefined): void {
  if (value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/**
 * Writes a list's rows anew. A row that is the same as before stays, and so does the focus; where the focused button or its row is gone the focus goes
 * to what is next: the row's first button, the next row's, the panel's heading.
 */
export function fillRows(list: HTMLElement, rows: readonly HTMLElement[]): void {
  const before = [...list.children];
  const focused = document.activeElement;
  const at = before.findIndex((row) => row.contains(focused));
  const key = at < 0 ? undefined : (before[at] as HTMLElement).dataset.key;
  const kept = rows.map((row) => before.find((old) => old.isEqualNode(row)) ?? row);
  // Moving an element takes its focus away, so only what differs is touched.
  for (const old of before) if (!kept.includes(old)) old.remove();
  for (const [index, row] of kept.entries()) if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
  if (at < 0 || document.activeElement === focused) return;
  const same = kept.find((row) => (row as HTMLElement).dataset.key === key);
  const label = focused?.getAttribute("aria-label");
  const next = kept.slice(Math.min(at, kept.length)).concat(kept.slice(0, at).reverse());
  const targets = [
    ...(same ? [...same.querySelectorAll<HTMLElement>("button")].filter((button) => button.getAttribute("aria-label") === label) : []),
    ...[same, ...next].map((row) => row?.querySelector<HTMLElement>("button")),
    list.closest(".panel")?.querySelector<HTMLElement>("h2"),
  ];
  targets.find((target) => target)?.focus();
}

/** Clean-ups of a view, run when it is left. */
export class Scope {
  #cleanups: (() => void)[] = [];

  add(...cleanups: (() => void)[]): void {
    this.#cleanups.push(...cleanups);
  }

  end(): void {
    for (const cleanup of this.#cleanups.splice(0).reverse()) cleanup();
  }
}

/** A person's name: long ones lose their middle, the whole is on hover; text direction stays inside. */
export function personName(name: string, external: boolean, self = false): HTMLElement {
  const letters = [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(name)].map((part) => part.segment);
  const split = letters.length > 16 ? letters.length - 5 : letters.length;
  return h(
    "span",
    { class: "person", title: name },
    h("bdi", { class: "name" }, h("span", { class: "name-start" }, letters.slice(0, split).join("")), h("span", { class: "name-end" }, letters.slice(split).join(""))),
    self && h("span", { class: "you" }, " (you)"),
    external && externalLabel(),
  );
}

/** The label of guests, wherever they are shown. */
export function externalLabel(): HTMLElement {
  return h("span", { class: "external" }, "External");
}

/** Tells screen readers, politely; the text is not shown. */
export function announce(text: string): void {
  const region = document.getElementById("announcer");
  if (!region) return;
  const line = h("div", {}, text);
  region.append(line);
  setTimeout(() => line.remove(), 10_000);
}

/** Asks a question in a dialog; resolves with whether the button `yes` was chosen. */
export function ask(question: string, detail: string, yes: string): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { class: "dialog", attrs: { "aria-labelledby": "ask-title" } },
      h("h2", { id: "ask-title" }, question),
      h("p", {}, detail),
      h(
        "div",
        { class: "row end" },
        h("button", { class: "button", attrs: { type: "button", autofocus: true }, on: { click: () => dialog.close("no") } }, "Cancel"),
        h("button", { class: "button danger", attrs: { type: "button" }, on: { click: () => dialog.close("yes") } }, yes),
      ),
    );
    const from = document.activeElement;
    const row = from?.closest<HTMLElement>("[data-key]")?.dataset.key;
    dialog.addEventListener("close", () => {
      dialog.remove();
      // The row that it was asked from may have been written anew meanwhile.
      if (document.activeElement === document.body && row) document.querySelector<HTMLElement>(`[data-key="${CSS.escape(row)}"] button[aria-label="${CSS.escape(from?.getAttribute("aria-label") ?? "")}"]`)?.focus();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Hours and minutes of a time, as the reader's system writes them. */
export function clock(time: string | Date): string {
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
