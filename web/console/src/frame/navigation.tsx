import { IconActivity, IconArchive, IconBook2, IconBroadcast, IconCalendarEvent, IconFileCertificate, IconGavel, IconLock, IconPhone, IconScale, IconSettings } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { runningQuery } from "../api/live";
import { type Part, mayUse, useSession } from "../api/session";
import { Go } from "../parts/go";
import { frameTexts } from "../texts/frame";

const GROUPS: { name: string; parts: Part[] }[] = [
  { name: frameTexts.groups.calls, parts: ["calls", "quality", "live", "meetings"] },
  { name: frameTexts.groups.keep, parts: ["retention", "holds", "reports", "ledger"] },
  { name: frameTexts.groups.rules, parts: ["policies", "decisions"] },
  { name: frameTexts.groups.rest, parts: ["settings"] },
];

const ICONS = {
  calls: IconPhone,
  quality: IconActivity,
  live: IconBroadcast,
  meetings: IconCalendarEvent,
  retention: IconArchive,
  holds: IconLock,
  reports: IconFileCertificate,
  ledger: IconBook2,
  policies: IconScale,
  decisions: IconGavel,
  settings: IconSettings,
} as const satisfies Record<Part, unknown>;

/** The screens that the caller may use, and no others. */
export function Navigation() {
  const { roles } = useSession();
  const running = useQuery({ ...runningQuery, enabled: mayUse("live", roles) });
  return (
    <>
      {GROUPS.map(({ name, parts }) => {
        const mine = parts.filter((part) => mayUse(part, roles));
        return (
          mine.length > 0 && (
            <div key={name} className="nav-group" role="group" aria-label={name}>
              {mine.map((part) => {
                const Icon = ICONS[part];
                return (
                  <Go key={part} to={`/${part}`} className="nav-link">
                    <Icon size={18} stroke={1.75} aria-hidden />
                    {frameTexts.parts[part]}
                    {part === "live" && (running.data ?? 0) > 0 && <span className="nav-count">{running.data}</span>}
                  </Go>
                );
              })}
            </div>
          )
        );
      })}
    </>
  );
}
