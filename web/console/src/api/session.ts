import { queryOptions, useQuery } from "@tanstack/react-query";
import { Problem, type Schemas, body, client } from "./client";

export type Session = Schemas["Session"];
export type Role = Schemas["Role"];

/** Who is signed in; null: nobody. */
export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: async (): Promise<Session | null> => {
    try {
      return await body(client.GET("/v1/session"));
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: 60_000,
});

/** The signed-in caller, within the frame: there is none of it without one. */
export function useSession(): Session {
  const { data } = useQuery(sessionQuery);
  if (!data) throw new Error("no session");
  return data;
}

/** Whether the caller has one of the roles. */
export function useHas(...roles: Role[]): boolean {
  const session = useSession();
  return roles.some((role) => session.roles.includes(role));
}

/** The organisation of the caller; operators have none. */
export function useOrg(): string | undefined {
  return useSession().organization ?? undefined;
}

/** The parts of the console and the roles that may use them, as the service's own table has them. */
export const PARTS = {
  calls: ["admin", "support", "auditor"],
  quality: ["admin", "support", "auditor"],
  live: ["admin", "support", "auditor"],
  meetings: ["admin", "org_user"],
  retention: ["admin", "auditor", "policy_author"],
  holds: ["admin", "auditor", "policy_author"],
  reports: ["admin", "auditor"],
  ledger: ["admin", "auditor", "operator"],
  policies: ["admin", "auditor", "policy_author"],
  decisions: ["admin", "auditor", "policy_author"],
  settings: ["admin", "support", "auditor", "policy_author", "operator"],
} as const satisfies Record<string, readonly Role[]>;

export type Part = keyof typeof PARTS;

export function mayUse(part: Part, roles: readonly Role[]): boolean {
  return PARTS[part].some((role) => roles.includes(role));
}

/** Where somebody with these roles begins. */
export function firstPart(roles: readonly Role[]): Part | undefined {
  const order: Part[] = roles.includes("auditor") && !roles.includes("admin")
    ? ["retention", "calls"]
    : ["calls", "policies", "retention", "meetings", "settings"];
  return order.find((part) => mayUse(part, roles));
}
