import { type KeyboardEvent, type RefObject, useCallback, useEffect } from "react";

/** Whether a key goes into a field, within a shadow tree as well, or into something that is open above the page. */
function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.closest("input, textarea, select, [role=dialog], [role=menu], [role=listbox]") !== null);
}

/** Calls with each key that is pressed outside of fields and without modifiers. */
export function usePageKeys(handle: (key: string, event: globalThis.KeyboardEvent) => void): void {
  useEffect(() => {
    const listen = (event: globalThis.KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.composedPath()[0] ?? null)) return;
      handle(event.key, event);
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, [handle]);
}

/**
 * `j` and `k` go to the next and the previous row, Enter opens it: what has the focus is the row's link or button, so that Enter needs no help. The
 * first table of the page is meant while no row has the focus.
 */
export function useRowKeys(body: RefObject<HTMLTableSectionElement | null>, opens: boolean): (event: KeyboardEvent) => void {
  usePageKeys(
    useCallback(
      (key) => {
        if (!opens || (key !== "j" && key !== "k") || body.current === null) return;
        const active = document.activeElement;
        const within = active !== null && body.current.contains(active);
        if (!within && document.querySelector("tbody:has(tr.opens)") !== body.current) return;
        const rows = [...body.current.querySelectorAll<HTMLElement>("tr[data-row]")];
        const at = rows.findIndex((row) => row.contains(active));
        const next = rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + (key === "j" ? 1 : -1)))];
        next?.querySelector<HTMLElement>("a, button")?.focus();
        next?.scrollIntoView({ block: "nearest" });
      },
      [body, opens],
    ),
  );
  return useCallback((event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const row = event.target instanceof Element ? event.target.closest("tr") : null;
    if (step === 0 || row === null) return;
    const next = step > 0 ? row.nextElementSibling : row.previousElementSibling;
    const target = next?.querySelector<HTMLElement>("a, button");
    if (!target) return;
    event.preventDefault();
    target.focus();
  }, []);
}
