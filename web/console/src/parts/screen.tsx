import { type ReactNode, useEffect } from "react";
import { frameTexts } from "../texts/frame";
import { Name } from "./facts";

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
