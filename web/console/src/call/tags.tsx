import { TagsInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type Call, callQuery, putTags } from "../api/analytics";
import { useHas } from "../api/session";
import { Chip } from "../parts/facts";
import { Trouble } from "../parts/states";
import { callTexts } from "../texts/calls";
import { commonTexts } from "../texts/common";

/** At most so many tags, each so long, as the API has it. */
const MOST = 20;
const LONGEST = 64;

/** A call's tags; whoever may, changes them, and each change is kept at once. */
export function Tags({ call }: { call: Call }) {
  const mayChange = useHas("admin", "support");
  const queries = useQueryClient();
  const put = useMutation({
    mutationFn: (tags: string[]) => putTags(call.call_id, tags),
    onMutate: (tags) => queries.setQueryData(callQuery(call.call_id).queryKey, (before) => before && { ...before, tags }),
    onSettled: () => queries.invalidateQueries({ queryKey: callQuery(call.call_id).queryKey, exact: true }),
  });
  if (!mayChange) return call.tags.length === 0 ? <>{commonTexts.notKnown}</> : <span className="row tight">{call.tags.map((tag) => <Chip key={tag}>{tag}</Chip>)}</span>;
  return (
    <>
      <TagsInput
        size="xs"
        aria-label={callTexts.fact.tags}
        placeholder={call.tags.length === 0 ? callTexts.addTag : ""}
        value={call.tags}
        onChange={(tags) => put.mutate(tags.map((tag) => tag.trim().slice(0, LONGEST)).filter((tag) => tag !== ""))}
        maxTags={MOST}
      />
      {put.error && <Trouble error={put.error} wrote />}
    </>
  );
}
