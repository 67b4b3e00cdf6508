/** Makes elements: what the page needs of a framework. */

type Child = Node | string | undefined | false;

interface Props {
  class?: string;
  id?: string;
  title?: string;
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
    dialog.addEventListener("close", () => {
      dialog.remove();
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
