import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { DECISION_FILTERS, type DecisionFilter, type DecisionFilters } from "../api/decisions";
import { referenceQuery } from "../api/policies";
import { useOrg } from "../api/session";
import { dayTime } from "../api/times";
import { useAddress } from "../frame/search-state";
import { FilterChips } from "../parts/filter-chips";
import { commonTexts } from "../texts/common";
import { decisionTexts as texts } from "../texts/decisions";

/** Values of those filters that have a closed set. */
function useChoices(): Partial<Record<DecisionFilter, { value: string; label: string }[]>> {
  const org = useOrg();
  const reference = useQuery({ ...referenceQuery(org ?? ""), enabled: org !== undefined });
  return {
    effect: ["allow", "deny", "lobby"].map((value) => ({ value, label: texts.effects[value] ?? value })),
    action: ["join", "use"].map((value) => ({ value, label: texts.actions[value] ?? value })),
    error: [{ value: "true", label: texts.filters["error"] ?? "" }],
    ...(reference.data && { capability: reference.data.capabilities.map(({ name }) => ({ value: name, label: name })) }),
  };
}

/** What narrows the list: the time, and whatever else is set, each with a way to take it away. */
export function DecisionFilterBar({ filters }: { filters: DecisionFilters }) {
  const [, change] = useAddress();
  const choices = useChoices();
  const custom = filters.last === undefined || texts.last[filters.last] === undefined;
  const times = Object.entries(texts.last).map(([value, label]) => ({ value, label }));
  return (
    <div className="row filters" role="group" aria-label={texts.filter}>
      <Select
        size="xs"
        w={custom ? 230 : 140}
        aria-label={texts.time}
        value={custom ? "custom" : (filters.last ?? null)}
        data={custom ? [{ value: "custom", label: [filters.from, filters.to].map((at) => (at ? dayTime(new Date(at)) : "…")).join(" – ") }, ...times] : times}
        onChange={(value) => value && value !== "custom" && change({ last: value, from: undefined, to: undefined })}
      />
      <FilterChips
        set={DECISION_FILTERS.filter((name) => filters[name] !== undefined)}
        offered={DECISION_FILTERS}
        label={(name) => texts.filters[name] ?? name}
        value={(name) => filters[name] ?? ""}
        shown={(name) => choices[name]?.find((c) => c.value === filters[name])?.label ?? filters[name] ?? ""}
        choices={(name) => choices[name]}
        manyChoices
        words={{ ...texts, apply: commonTexts.save }}
        add={(name, value) => value !== "" && change({ [name]: value })}
        remove={(names) => change(Object.fromEntries(names.map((name) => [name, undefined])))}
      />
    </div>
  );
}
