import type { Policy, Scope } from "../api/retention";
import { keepTexts } from "../texts/keep";

const texts = keepTexts.retention;

/** A scope in words. */
export function scopeText(scope: Scope): string {
  if (scope.kind === "organization") return texts.scopeAll;
  if (scope.kind === "adaptive") return scope.query ?? texts.scopes["adaptive"] ?? "";
  const names = (members: Scope["include"]): string => [...(members?.users ?? []), ...(members?.groups ?? [])].join(", ");
  const [included, excluded] = [names(scope.include), names(scope.exclude)];
  if (included === "") return texts.scopeAllBut(excluded);
  return texts.scopeSome(included) + (excluded === "" ? "" : texts.scopeBut(excluded));
}

/** What a policy does in words. */
export function actionText(policy: Pick<Policy, "action">): string {
  return texts.actionText(policy.action.kind, keepTexts.days(policy.action.days));
}
