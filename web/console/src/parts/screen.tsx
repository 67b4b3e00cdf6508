import { type ReactNode, useEffect } from "react";
import { Problem } from "../api/client";
import { commonTexts } from "../texts/common";
import { frameTexts } from "../texts/frame";
import { Name } from "./facts";
import { Go, type Place } from "./go";
import { Empty, Trouble, Waiting } from "./states";

/** From so many characters on a title may not fit its line, and is cut in the middle. */
const LONG = 40;

/** A screen: its name, the question that it answers, what can be done with it as a whole, and its content. */
export function Screen({ title, question, actions, children }: { title: string; question?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = frameTexts.title(title);
  }, [title]);
  return (
    <div className="screen">
      <div className="screen-head">
        <div className="grow">
          <h1>{title.length > LONG ? <Name text={title} strong /> : title}</h1>
          {question !== undefined && <div className="quiet">{question}</div>}
        </div>
        {actions !== undefined && <div className="row">{actions}</div>}
      </div>
      {children}
    </div>
  );
}

/** A screen about one thing that is fetched first: its frame at once, then the thing, or that it isn't there, or what went wrong. */
export function FetchedScreen<T>({ title, query, list, children }: {
  /** What such a thing is called, and where all of them are. */
  title: string;
  list: Place;
  query: { data: T | undefined; error: unknown; refetch: () => unknown };
  children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  const missing = query.error instanceof Problem && (query.error.status === 404 || query.error.parameter === "id");
  return (
    <Screen title={title}>
      {missing ? <Empty title={commonTexts.missing} action={<Go {...list}>{commonTexts.toList}</Go>}>{commonTexts.missingText}</Empty> : query.error ? <Trouble error={query.error} retry={() => void query.refetch()} /> : <Waiting />}
    </Screen>
  );
}

/** A part of a screen with a head of its own. */
export function Panel({ title, tools, children, tight = false }: { title: ReactNode; tools?: ReactNode; children: ReactNode; tight?: boolean }) {
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{title}</h2>
        {tools}
      </div>
      <div className={tight ? "panel-body tight" : "panel-body"}>{children}</div>
    </section>
  );
}
