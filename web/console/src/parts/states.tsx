import { Button, Skeleton } from "@mantine/core";
import { IconAlertTriangle, IconInbox } from "@tabler/icons-react";
import { type ReactNode, useEffect, useState } from "react";
import { Problem } from "../api/client";
import { commonTexts, problemText } from "../texts/common";
import "./states.css";

/** Why there is nothing, and what to do. */
export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="state" role="status">
      <IconInbox aria-hidden size={28} stroke={1.5} />
      <p className="state-title">{title}</p>
      {children !== undefined && <p className="quiet state-text">{children}</p>}
      {action}
    </div>
  );
}

/** What went wrong, whether anything was lost, what to do, and the request's id. */
export function Trouble({ error, retry, wrote = false }: { error: unknown; retry?: (() => void) | undefined; wrote?: boolean }) {
  const problem = error instanceof Problem ? error : new Problem(500, "unknown", error instanceof Error ? error.message : "", undefined);
  return (
    <div className="trouble" role="alert">
      <IconAlertTriangle aria-hidden size={20} stroke={1.75} />
      <div className="grow stack tight">
        <p>
          <strong>{commonTexts.trouble}.</strong> {problemText(problem)} {wrote ? commonTexts.lost.write : commonTexts.lost.read}
        </p>
        <p className="row small quiet">
          {problem.parameter !== undefined && <code>{problem.parameter}</code>}
          {problem.requestId !== undefined && <code>{commonTexts.request(problem.requestId)}</code>}
        </p>
      </div>
      {retry && (
        <Button size="compact-sm" onClick={retry}>
          {commonTexts.retry}
        </Button>
      )}
    </div>
  );
}

/** Grey lines where content will be, once it takes longer than 200 ms. */
export function Waiting({ rows = 6, height = 20 }: { rows?: number; height?: number }) {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), 200);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div className="waiting" aria-busy="true" data-shown={shown || undefined}>
      <span className="sr" role="status">
        {commonTexts.loading}
      </span>
      {Array.from({ length: rows }, (_, i) => (
        <Skeleton key={i} height={height} radius="sm" width={`${100 - ((i * 7) % 23)}%`} />
      ))}
    </div>
  );
}

/** The states of a query: its frame at once, then its content or what went wrong. */
export function Loaded<T>({ query, children, rows }: {
  query: { data: T | undefined; error: unknown; isPending: boolean; refetch: () => unknown };
  children: (data: T) => ReactNode;
  rows?: number;
}) {
  if (query.error && query.data === undefined) return <Trouble error={query.error} retry={() => void query.refetch()} />;
  if (query.data === undefined) return <Waiting {...(rows !== undefined && { rows })} />;
  return <>{children(query.data)}</>;
}
