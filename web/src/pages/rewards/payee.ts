/** Whom a base amount is for, as people fill it in. */
import type { Schemas } from "../../app/client";
import { minorOf } from "./exact";
import { words } from "./words";

export interface PayeeTold {
  kind: Schemas["RewardPayeeView"]["kind"];
  unit: string;
  amount: string;
}

export const nobody = (): PayeeTold => ({ kind: "position", unit: "", amount: "" });

/** What is wrong with it, by field. */
export function faultsOf(told: PayeeTold): Record<string, string> {
  const w = words();
  return {
    ...(minorOf(told.amount) === undefined ? { base_minor: w.badAmount } : {}),
    ...(told.unit ? {} : { unit: w.must }),
  };
}

/** As it is sent; only of one without faults. */
export const payeeOf = (told: PayeeTold): Schemas["RewardPayeeView"] => ({ kind: told.kind, unit: told.unit, base_minor: minorOf(told.amount) ?? 0 });
