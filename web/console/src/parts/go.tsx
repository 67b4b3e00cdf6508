import { Link, useNavigate } from "@tanstack/react-router";
import { type ComponentProps, type ReactNode, useCallback } from "react";

/** State of a screen as its address has it. */
export type State = Readonly<Record<string, string | undefined>>;

/** A place in the console: a path, and state. */
export interface Place {
  to: string;
  state?: State;
}

/** A link to a place of the console. */
export function Go({ to, state, children, className, label, ...rest }: Place & { children: ReactNode; className?: string; label?: string } & Pick<ComponentProps<"a">, "title" | "onClick">) {
  // The router's own types know each route by its pattern; places are made of ids, so they are checked by the tests that follow them.
  const target = { to, search: state ?? {} } as never;
  return (
    <Link {...(target as object)} {...rest} className={className} aria-label={label} to={to as never}>
      {children}
    </Link>
  );
}

/** Goes to a place. */
export function useGo(): (place: Place) => void {
  const navigate = useNavigate();
  return useCallback(({ to, state }: Place) => void navigate({ to, search: state ?? {} } as never), [navigate]);
}
