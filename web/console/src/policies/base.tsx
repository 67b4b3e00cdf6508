import { Suspense, lazy, useMemo } from "react";
import type { Files, PolicyReference } from "../api/policies";
import { useAddress } from "../frame/search-state";
import { Chip, Name } from "../parts/facts";
import { Waiting } from "../parts/states";
import { policyTexts } from "../texts/policies";

const texts = policyTexts.base;

const Editor = lazy(() => import("./editor/editor"));

/** What the address has before the path of a file of the base policy; a path of the organisation's own has no colon. */
const PREFIX = "base:";

/** Whether the address names a file of the base policy. */
export const isOfBase = (file: string | undefined): boolean => file?.startsWith(PREFIX) ?? false;

/** The path of the base's file that the address names, if it names one. */
export const baseFile = (file: string, base: Files): string | undefined => {
  const path = file.startsWith(PREFIX) ? file.slice(PREFIX.length) : undefined;
  return path !== undefined && base[path] !== undefined ? path : undefined;
};

/** The address of a file of the base policy. */
export const ofBase = (path: string): string => PREFIX + path;

/** Where the base policy begins to be read. */
export const BASE_FIRST = ofBase("anteroom/meeting/meeting.rego");

/** Files of the base policy, which rules of one's own are added to: to be read. */
export function BaseList({ files, path, open }: { files: Files; path: string | undefined; open: (file: string) => void }) {
  const paths = useMemo(() => Object.keys(files).sort(), [files]);
  if (paths.length === 0) return null;
  return (
    <details className="base-files" open={path !== undefined || undefined}>
      <summary>{texts.title}</summary>
      <ul>
        {paths.map((file) => (
          <li key={file} className="file-row">
            <button type="button" className="file-name" aria-current={file === path ? "true" : undefined} onClick={() => open(ofBase(file))} title={file}>
              <span className="sr">{file}</span>
              <span className="file-shown" aria-hidden="true"><Name text={file.replace(/^anteroom\//, "")} /></span>
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}

/** A file of the base policy as it is. */
export function BaseText({ path, text, reference, select }: { path: string; text: string; reference: PolicyReference | undefined; select: (text: string) => void }) {
  const [search] = useAddress();
  const line = Number(search["line"]);
  const target = useMemo(() => (Number.isInteger(line) && line > 0 ? { line } : undefined), [line, path]);
  return (
    <>
      <div className="editor-head">
        <bdi className="editor-path" title={path}>{path}</bdi>
        <Chip>{texts.chip}</Chip>
      </div>
      <div className="editor-box">
        <Suspense fallback={<div className="panel-body"><Waiting rows={8} /></div>}>
          <Editor path={path} text={text} readOnly problems={[]} coverage={undefined} reference={reference} target={target} change={nothing} select={select} format={nothing} next={nothing} save={nothing} />
        </Suspense>
      </div>
      <p className="problems small quiet">{texts.text}</p>
    </>
  );
}

const nothing = (): void => undefined;
