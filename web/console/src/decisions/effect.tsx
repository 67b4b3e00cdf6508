import { Chip } from "../parts/facts";
import { decisionTexts } from "../texts/decisions";

const TONES = { allow: "good", lobby: "due", deny: "poor", error: "overdue" } as const;
const MARKS: Record<string, string> = { allow: "✓", lobby: "…", deny: "✗", error: "!" };

/** What a decision came to, as a word with a mark and a colour. */
export function EffectChip({ effect }: { effect: string }) {
  return (
    <Chip tone={TONES[effect as keyof typeof TONES] ?? "unknown"}>
      <span aria-hidden="true">{MARKS[effect] ?? "?"}</span> {decisionTexts.effects[effect] ?? effect}
    </Chip>
  );
}
