import { SegmentedControl } from "@mantine/core";
import { IconArrowsDiff } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { type Totals, qualityQuery } from "../api/analytics";
import { type Filters, filtersOf } from "../api/filters";
import { count, percent } from "../api/figures";
import { FilterBar, windowText } from "../calls/filter-bar";
import "../calls/calls.css";
import { useAddress } from "../frame/search-state";
import { Share } from "../parts/copy";
import { Figure } from "../parts/facts";
import { Go } from "../parts/go";
import { Panel, Screen } from "../parts/screen";
import { Empty, Loaded } from "../parts/states";
import { callTexts } from "../texts/calls";
import { commonTexts } from "../texts/common";
import { qualityTexts as texts } from "../texts/quality";
import { Groups } from "./groups";
import { Heat } from "./heat";
import { Quantiles } from "./quantiles";
import { Trend } from "./trend";
import "./quality.css";

/** The period that is looked at when the address names none. */
const PERIOD = "30d";

/** Is it getting better, and where is it bad? */
export function Quality() {
  const [search, change] = useAddress();
  const filters = useMemo(() => filtersOf(search, PERIOD), [search]);
  const totals = useQuery(qualityQuery(filters, undefined, { compare: "previous" }));
  return (
    <Screen title={texts.title} question={texts.question} actions={<><Go to="/compare" className="button"><IconArrowsDiff size={16} stroke={1.75} aria-hidden />{callTexts.compare}</Go><Share /></>}>
      <FilterBar filters={filters} screen="quality">
        <SegmentedControl
          size="xs"
          aria-label={texts.period}
          value={filters.last ?? "custom"}
          onChange={(last) => last !== "custom" && change({ last, from: undefined, to: undefined })}
          data={[...Object.entries(texts.periods).map(([value, label]) => ({ value, label })), ...(filters.last === undefined ? [{ value: "custom", label: windowText(filters) }] : [])]}
        />
      </FilterBar>
      <Loaded query={totals} rows={8}>
        {(answer) => (answer.totals.calls === 0 ? <Empty title={texts.noData}>{texts.noDataText}</Empty> : <Found filters={filters} totals={answer.totals} before={answer.previous?.totals} />)}
      </Loaded>
    </Screen>
  );
}

function Found({ filters, totals, before }: { filters: Filters; totals: Totals; before: Totals | undefined }) {
  return (
    <div className="stack">
      <Figures totals={totals} before={before} />
      <Panel title={texts.trend}>
        <Trend filters={filters} totals={totals} />
      </Panel>
      <Groups filters={filters} />
      <Heat filters={filters} />
      <Quantiles filters={filters} />
    </div>
  );
}

const known = (n: number | null): string => (n === null ? commonTexts.notKnown : count(n));

function Figures({ totals: t, before }: { totals: Totals; before: Totals | undefined }) {
  const names = texts.figures;
  const rated = t.rating ? t.rating.good + t.rating.average + t.rating.poor : 0;
  const was = (value: (t: Totals) => string): string | undefined => (before && before.calls > 0 ? texts.before(value(before)) : undefined);
  return (
    <div className="figures">
      <Figure label={names.poor} value={percent(t.poor_ratio)} note={was((b) => percent(b.poor_ratio)) ?? texts.ofStreams(count(t.poor), count(t.poor + t.good))} />
      <Figure label={names.calls} value={count(t.calls)} note={was((b) => count(b.calls))} />
      <Figure label={names.callsPoor} value={count(t.calls_poor)} note={percent(t.calls === 0 ? null : t.calls_poor / t.calls)} />
      <Figure label={names.setup} value={percent(t.setup_failure_ratio)} note={known(t.setup_failures)} />
      <Figure label={names.drops} value={percent(t.drop_ratio)} note={known(t.drops)} />
      <Figure label={names.short} value={known(t.short_calls)} />
      <Figure label={names.ended} value={known(t.ended_within_5s)} />
      <Figure label={names.rating} value={rated === 0 || !t.rating ? commonTexts.notKnown : percent(t.rating.poor / rated)} note={rated === 0 ? undefined : texts.ofCalls(count(rated))} />
    </div>
  );
}
