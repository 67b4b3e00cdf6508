import { useQuery } from "@tanstack/react-query";
import { resourcesQuery } from "../api/organizations";

/** The regions that matter to the organisation: its home, and those of its applications' guests. */
export function useRegions(home: string | undefined): string[] {
  const resources = useQuery(resourcesQuery);
  const names = new Set(home ? [home] : []);
  for (const r of resources.data ?? []) names.add(r.region);
  return [...names];
}
