import { ActionIcon, Drawer, Modal, Popover, SegmentedControl, useMantineColorScheme } from "@mantine/core";
import { IconChevronDown, IconHome, IconKeyboard, IconLogout, IconMenu2, IconUser } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Outlet, useRouterState } from "@tanstack/react-router";
import { useCallback, useEffect, useRef, useState } from "react";
import { body, client } from "../api/client";
import { organizationQuery } from "../api/organizations";
import { sessionQuery, useSession } from "../api/session";
import { useGo } from "../parts/go";
import { usePageKeys } from "../parts/keys";
import { Trouble, Waiting } from "../parts/states";
import { frameTexts } from "../texts/frame";
import { commonTexts } from "../texts/common";
import { Freshness } from "./freshness";
import { Navigation } from "./navigation";
import { SearchBox } from "./search";
import { SignIn } from "./sign-in";
import "./frame.css";

/** What stands around each screen; without a session, the way to one. */
export function Frame() {
  const session = useQuery(sessionQuery);
  if (session.error) return <div className="screen"><Trouble error={session.error} retry={() => void session.refetch()} /></div>;
  if (session.data === undefined) return <div className="screen"><Waiting rows={3} /></div>;
  return session.data === null ? <SignIn /> : <SignedIn />;
}

function SignedIn() {
  const [folded, setFolded] = useState(true);
  const [keys, setKeys] = useState(false);
  const main = useRef<HTMLElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const go = useGo();
  const before = useRef("");
  usePageKeys(
    useCallback(
      (key, event) => {
        const after = before.current;
        before.current = key;
        if (key === "/") {
          event.preventDefault();
          search.current?.focus();
        } else if (key === "?") setKeys(true);
        else if (after === "g" && key === "c") go({ to: "/calls" });
        else if (after === "g" && key === "q") go({ to: "/quality" });
        else if (after === "g" && key === "r") go({ to: "/retention" });
        else if (after === "g" && key === "p") go({ to: "/policies" });
      },
      [go],
    ),
  );
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => {
    setFolded(true);
    main.current?.scrollTo(0, 0);
  }, [path]);
  return (
    <div className="frame">
      <a className="skip" href="#main">{frameTexts.skip}</a>
      <header className="frame-head">
        <ActionIcon className="fold" aria-label={frameTexts.openNavigation} onClick={() => setFolded(false)}><IconMenu2 size={20} stroke={1.75} /></ActionIcon>
        <Brand />
        <SearchBox field={search} />
        <Freshness />
        <Me openKeys={() => setKeys(true)} />
      </header>
      <nav className="frame-nav" aria-label={frameTexts.navigation}><Navigation /></nav>
      <Drawer opened={!folded} onClose={() => setFolded(true)} size={240} title={frameTexts.product} closeButtonProps={{ "aria-label": commonTexts.close }}>
        <nav aria-label={frameTexts.navigation}><Navigation /></nav>
      </Drawer>
      <main className="frame-main" id="main" ref={main} tabIndex={-1}>
        <Outlet />
      </main>
      <Keys opened={keys} close={() => setKeys(false)} />
    </div>
  );
}

function Brand() {
  const org = useSession().organization;
  const { data } = useQuery(organizationQuery(org ?? undefined));
  return (
    <div className="brand">
      <span className="brand-mark">{frameTexts.product}</span>
      {org !== null && <bdi className="brand-org" title={org}>{data?.value.name ?? org}</bdi>}
    </div>
  );
}

function Me({ openKeys }: { openKeys: () => void }) {
  const session = useSession();
  const queries = useQueryClient();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const [opened, setOpened] = useState(false);
  const signOut = (): void => void body(client.POST("/logout")).then((out) => out && location.assign(out.sign_out_url)).finally(() => queries.setQueryData(sessionQuery.queryKey, null)).catch(() => undefined);
  const name = session.name || session.subject;
  return (
    <Popover position="bottom-end" width={264} trapFocus opened={opened} onChange={setOpened}>
      <Popover.Target>
        <button type="button" className="me" aria-label={`${frameTexts.me}: ${name}`} onClick={() => setOpened(!opened)}>
          <IconUser size={18} stroke={1.75} aria-hidden />
          <bdi className="me-name">{name}</bdi>
          <IconChevronDown size={14} stroke={1.75} aria-hidden />
        </button>
      </Popover.Target>
      <Popover.Dropdown aria-label={frameTexts.me} className="me-box">
        <div className="me-who">
          <bdi>{name}</bdi>
          <span className="quiet small">{session.roles.map((role) => frameTexts.roles[role]).join(", ")}</span>
        </div>
        <SegmentedControl
          fullWidth
          size="xs"
          aria-label={frameTexts.appearance}
          value={colorScheme}
          onChange={(value) => setColorScheme(value as "light" | "dark" | "auto")}
          data={[{ value: "auto", label: frameTexts.auto }, { value: "light", label: frameTexts.light }, { value: "dark", label: frameTexts.dark }]}
        />
        <ul className="me-acts">
          <li><button type="button" onClick={() => { setOpened(false); openKeys(); }}><IconKeyboard size={16} stroke={1.75} aria-hidden />{frameTexts.keysTitle}<kbd>?</kbd></button></li>
          <li><a href="/"><IconHome size={16} stroke={1.75} aria-hidden />{frameTexts.startPage}</a></li>
          <li><button type="button" onClick={signOut}><IconLogout size={16} stroke={1.75} aria-hidden />{frameTexts.signOut}</button></li>
        </ul>
      </Popover.Dropdown>
    </Popover>
  );
}

function Keys({ opened, close }: { opened: boolean; close: () => void }) {
  return (
    <Modal opened={opened} onClose={close} title={frameTexts.keysTitle} size="sm" closeButtonProps={{ "aria-label": commonTexts.close }}>
      <dl className="facts keys">
        {frameTexts.keys.map(([key, what]) => (
          <div key={key} className="key-line">
            <dt>{key.split(" ").map((k) => <kbd key={k}>{k}</kbd>)}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
