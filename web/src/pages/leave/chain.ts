/** Chains of approval in plain words. */
import type { Schemas } from "../../app/client";
import { words as ofRequests } from "../requests/words";
import { words } from "./words";

export type Step = Schemas["ChainStepBody"];

/** "主管 → 3 天以上再由人事" */
export function chainText(steps: Pick<Step, "role" | "from_min">[]): string {
  const w = words();
  const r = ofRequests();
  if (!steps.length) return w.chain.none;
  return steps
    .map((step, i) => {
      const role = r.roles[step.role] ?? step.role;
      if (!step.from_min) return role;
      return (i ? w.chain.also : w.chain.only)(w.type.day(step.from_min), role);
    })
    .join(" → ");
}

export const timeOutText = (step: Step) => words().chain.timeOut(words().chain.hours(step.hours), words().chain.then[step.then] ?? step.then);
