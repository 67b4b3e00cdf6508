import { ActionIcon, Button, Menu, TextInput } from "@mantine/core";
import { IconDots, IconFilePlus } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import type { Files } from "../api/policies";
import { Name } from "../parts/facts";
import { policyTexts as texts } from "../texts/policies";
import { Confirm } from "./confirm";
import type { Work } from "./workspace";

const NAME = /^(?!\/)(?:[\w.-]+\/)*[\w.-]+\.rego$|^data\.json$/;

/** What a new file begins with. */
function firstText(path: string): string {
  if (path === "data.json") return "{}\n";
  return path.endsWith("_test.rego") ? "package anteroom.organization_test\n\nimport data.anteroom.organization\n" : "package anteroom.organization\n";
}

interface FileListProps {
  work: Work;
  paths: readonly string[];
  path: string | undefined;
  open: (file: string) => void;
  /** What stands below them. */
  children?: ReactNode;
}

/** The files of the policy, with how many problems each has, and ways to add, rename and delete them. */
export function FileList({ work, paths, path, open, children }: FileListProps) {
  const [adding, setAdding] = useState(false);
  const [renaming, setRenaming] = useState<string>();
  const [removing, setRemoving] = useState<string>();
  const { files, setFiles, steps } = work;
  const problems = (file: string): number => steps.checked?.diagnostics.filter((d) => d.file === file).length ?? 0;
  return (
    <nav className="file-column" aria-label={texts.files}>
      <ul>
        {paths.map((file) => (
          <li key={file} className="file-row">
            {renaming === file ? (
              <NameForm label={texts.rename} first={file} taken={files} close={() => setRenaming(undefined)} done={(name) => { setFiles?.(renamed(files, file, name)); open(name); }} />
            ) : (
              <>
                <button type="button" className="file-name" aria-current={file === path ? "true" : undefined} onClick={() => open(file)} title={file}>
                  {/* The name that is seen is cut in its middle, and would be read as two words. */}
                  <span className="sr">{file}{problems(file) > 0 && `, ${texts.problemsIn(problems(file))}`}</span>
                  <span className="file-shown" aria-hidden="true"><Name text={file} /></span>
                  {problems(file) > 0 && <span className="file-problems" aria-hidden="true">{problems(file)}</span>}
                </button>
                {setFiles && <Acts file={file} rename={() => setRenaming(file)} remove={() => setRemoving(file)} />}
              </>
            )}
          </li>
        ))}
      </ul>
      {setFiles && (adding ? (
        <NameForm label={texts.addFile} first="" taken={files} close={() => setAdding(false)} done={(name) => { setFiles({ ...files, [name]: firstText(name) }); open(name); }} />
      ) : (
        <Button size="compact-sm" variant="subtle" leftSection={<IconFilePlus size={16} stroke={1.75} />} onClick={() => setAdding(true)}>{texts.newFile}</Button>
      ))}
      {children}
      {removing !== undefined && (
        <Confirm
          title={texts.removeFile}
          text={removing}
          confirm={texts.removeFile}
          red
          run={{ mutate: () => { setFiles?.(without(files, removing)); setRemoving(undefined); }, isPending: false, error: undefined }}
          close={() => setRemoving(undefined)}
        />
      )}
    </nav>
  );
}

function Acts({ file, rename, remove }: { file: string; rename: () => void; remove: () => void }) {
  return (
    <Menu position="bottom-end">
      <Menu.Target><ActionIcon size="sm" aria-label={texts.actsOf(file)}><IconDots size={16} stroke={1.75} /></ActionIcon></Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={rename}>{texts.rename}</Menu.Item>
        <Menu.Item color="red" onClick={remove}>{texts.removeFile}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function NameForm({ label, first, taken, done, close }: { label: string; first: string; taken: Files; done: (name: string) => void; close: () => void }) {
  const [name, setName] = useState(first);
  const [wrong, setWrong] = useState<string>();
  return (
    <form
      className="name-form"
      onKeyDown={(event) => event.key === "Escape" && close()}
      onSubmit={(event) => {
        event.preventDefault();
        const wanted = name.trim();
        if (wanted === first) return close();
        if (!NAME.test(wanted) || wanted.includes("..")) return setWrong(texts.fileNameWrong);
        if (taken[wanted] !== undefined) return setWrong(texts.fileThere);
        done(wanted);
        return close();
      }}
    >
      <TextInput size="xs" label={texts.fileName} description={texts.fileNameHint} value={name} onChange={(e) => { setName(e.currentTarget.value); setWrong(undefined); }} error={wrong} maxLength={128} required autoFocus />
      <Button size="compact-sm" type="submit">{label}</Button>
    </form>
  );
}

function without(files: Files, path: string): Files {
  const { [path]: _gone, ...rest } = files;
  return rest;
}

function renamed(files: Files, from: string, to: string): Files {
  return { ...without(files, from), [to]: files[from] ?? "" };
}
