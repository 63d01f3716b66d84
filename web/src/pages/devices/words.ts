/** Devices in words: state, clock, and what to do. */
import type { Schemas } from "../../app/client";
import * as format from "../../app/format";
import { i18n } from "../../app/i18n/index.svelte";
import type { IconName } from "../../ui/icons";

type Gateway = Schemas["GatewayView"];
type Terminal = Schemas["TerminalView"];

/** AR-3: used as it is up to here, corrected up to the next, above that on hold. */
const EXACT_MS = 30_000;
const CORRECTED_MS = 3_600_000;

export function drift(ms: number | null): { text: string; tone: "calm" | "warn" | "bad" } {
  const t = i18n.t.devices;
  if (ms === null) return { text: "–", tone: "calm" };
  const off = Math.abs(ms);
  if (off <= EXACT_MS) return { text: t.driftOk(format.integer(Math.round(off / 1000))), tone: "calm" };
  const length = format.duration(off);
  if (off <= CORRECTED_MS) return { text: ms > 0 ? t.driftFast(length) : t.driftSlow(length), tone: "warn" };
  return { text: ms > 0 ? t.driftFastHeld(length) : t.driftSlowHeld(length), tone: "bad" };
}

export function stateLook(state: string): { tone: "ok" | "warn" | "bad" | "calm"; icon: IconName; text: string } {
  const text = i18n.t.devices.states[state] ?? state;
  switch (state) {
    case "online":
      return { tone: "ok", icon: "check", text };
    case "offline":
    case "error":
      return { tone: "bad", icon: "cross", text };
    case "degraded":
    case "refused":
    case "config_error":
      return { tone: "warn", icon: "warn", text };
    default:
      return { tone: "calm", icon: "dash", text };
  }
}

export function gatewayState(gateway: Gateway): string {
  if (gateway.status === "revoked") return "revoked";
  if (gateway.online) return "online";
  return gateway.last_seen_ms === null ? "starting" : "offline";
}

export function alarmText(kind: string): string {
  return i18n.t.devices.alarm[kind] ?? i18n.t.devices.alarmOther(kind);
}

/** What a gateway needs, one sentence each; none when all is well. */
export function gatewayAdvice(gateway: Gateway): string[] {
  const found = gateway.alarms.map(alarmText);
  if (gatewayState(gateway) === "offline") found.unshift(i18n.t.devices.adviceGateway);
  return found;
}

export function terminalAdvice(terminal: Terminal): string {
  const t = i18n.t.devices;
  if (terminal.problem) return t.advice[terminal.problem] ?? t.adviceOther(terminal.problem);
  return terminal.state === "offline" ? t.adviceOffline : "";
}
