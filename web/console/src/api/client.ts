import createClient from "openapi-fetch";
import type { components, paths } from "./schema.gen";

export type Schemas = components["schemas"];

/** What the service said that went wrong, or that it can't be reached. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId: string | undefined,
    readonly parameter?: string | undefined,
    readonly field?: string | undefined,
  ) {
    super(message);
  }
}

/** The status of a Problem when no answer came at all. */
export const UNREACHABLE = 0;

export const client = createClient<paths>({
  baseUrl: location.origin,
  // A list that is given is handed over as several parameters of one name.
  querySerializer: { array: { style: "form", explode: true } },
  fetch: (request) => fetch(request).catch((cause: unknown) => Promise.reject(unreachable(cause))),
});

function unreachable(cause: unknown): Problem | DOMException {
  // A request that the page itself gave up is no trouble.
  return cause instanceof DOMException && cause.name === "AbortError" ? cause : new Problem(UNREACHABLE, "unreachable", "", undefined);
}

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** The body of an answer; throws a Problem for everything but success. */
export async function body<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (response.ok) return data as T;
  throw problemOf(response, error);
}

/** The body and the ETag, which a change has to hand back. */
export async function tagged<T>(answer: Promise<Answer<T>>): Promise<{ value: T; etag: string }> {
  const { data, error, response } = await answer;
  if (response.ok) return { value: data as T, etag: response.headers.get("ETag") ?? "" };
  throw problemOf(response, error);
}

function problemOf(response: Response, error: unknown): Problem {
  const p = (typeof error === "object" && error !== null ? error : {}) as Partial<Schemas["Problem"]>;
  return new Problem(response.status, p.code ?? "unknown", p.detail ?? "", p.request_id ?? response.headers.get("X-Request-Id") ?? undefined, p.parameter, p.field);
}

/** Asks a path that answers with JSON and is not (yet) of the generated kind; same-origin, with the session. */
export async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(path, init).catch((cause: unknown) => Promise.reject(unreachable(cause)));
  const parsed: unknown = await response.json().catch(() => undefined);
  if (response.ok) return parsed as T;
  throw problemOf(response, parsed);
}

/** A query string of what is set; "" when nothing is. */
export function queryOf(fields: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const set = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined && value !== "") set.set(name, String(value));
  const text = set.toString();
  return text === "" ? "" : `?${text}`;
}
