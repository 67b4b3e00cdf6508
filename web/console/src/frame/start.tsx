import { Button } from "@mantine/core";
import { Navigate } from "@tanstack/react-router";
import { firstPart, useSession } from "../api/session";
import { Go } from "../parts/go";
import { Screen } from "../parts/screen";
import { Empty } from "../parts/states";
import { commonTexts } from "../texts/common";
import { frameTexts } from "../texts/frame";

/** The console without a screen's name: on to the first one that the caller may use. */
export function Start() {
  const { roles } = useSession();
  const part = firstPart(roles);
  if (part) return <Navigate to={`/${part}` as never} replace />;
  return (
    <Screen title={frameTexts.noRole.title}>
      <Empty
        title={frameTexts.noRole.short}
        action={
          <Button component="a" href="/">
            {frameTexts.startPage}
          </Button>
        }
      >
        {frameTexts.noRole.text(roles.map((role) => frameTexts.roles[role]).join(", "))}
      </Empty>
    </Screen>
  );
}

export function NotFound() {
  return (
    <Screen title={commonTexts.notFoundTitle}>
      <Empty title={commonTexts.notFoundShort} action={<Go to="/">{commonTexts.toStart}</Go>}>
        {commonTexts.notFound}
      </Empty>
    </Screen>
  );
}
