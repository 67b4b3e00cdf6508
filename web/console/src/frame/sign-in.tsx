import { Button, TextInput } from "@mantine/core";
import { useState } from "react";
import { frameTexts } from "../texts/frame";

const REMEMBERED = "anteroom.organization";

/** The way to a session: to the provider of the organisation, and back to exactly this address. */
export function SignIn() {
  const [org, setOrg] = useState(() => localStorage.getItem(REMEMBERED) ?? "");
  const to = new URLSearchParams({ return_to: `${location.pathname}${location.search}` });
  if (org.trim() !== "") to.set("org", org.trim().toLowerCase());
  return (
    <main className="door">
      <form
        className="door-card"
        onSubmit={(event) => {
          event.preventDefault();
          localStorage.setItem(REMEMBERED, org.trim());
          location.assign(`/login?${to.toString()}`);
        }}
      >
        <span className="brand-mark">{frameTexts.product}</span>
        <h1>{frameTexts.signIn.title}</h1>
        <p className="quiet">{frameTexts.signIn.text}</p>
        <TextInput label={frameTexts.signIn.org} description={frameTexts.signIn.orgHint} value={org} onChange={(event) => setOrg(event.currentTarget.value)} maxLength={63} autoComplete="organization" spellCheck={false} autoFocus />
        <Button type="submit" variant="filled" size="md">
          {frameTexts.signIn.button}
        </Button>
      </form>
    </main>
  );
}
