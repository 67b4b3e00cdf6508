import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";
import type { Search } from "../router";

/** The state in the address, and a way to change parts of it; `undefined` takes a part away. */
export function useAddress(): [Search, (change: Record<string, string | undefined>, options?: { replace?: boolean }) => void] {
  const search = useSearch({ strict: false }) as Search;
  const navigate = useNavigate();
  const change = useCallback(
    (parts: Record<string, string | undefined>, options: { replace?: boolean } = {}) =>
      void navigate({ to: ".", search: (before: Record<string, unknown>) => ({ ...before, ...parts }), replace: options.replace ?? false, resetScroll: false } as never),
    [navigate],
  );
  return [search, change];
}

