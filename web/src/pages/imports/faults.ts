import type { Failure } from "../../app/client";
import { words } from "./words";

/** What went wrong, in words, with what it is about. */
export function faultText(failure: Failure): string {
  const w = words();
  const text = w.errors[failure.code] ?? w.failed(failure.code);
  const about = Object.values(failure.parameters).join(" · ");
  return about ? text.replace(/[.。]$/, "") + w.inTheWay(about) : text;
}
