/** Numbers, dates and durations in the language in use. Instants are UTC milliseconds, dates local YYYY-MM-DD. */
import { i18n } from "./i18n/index.svelte";

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string | undefined, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${i18n.locale}|${zone}|${JSON.stringify(options)}`;
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(i18n.locale, { ...options, timeZone: zone, hourCycle: "h23" });
    formats.set(key, found);
  }
  return found;
}

/** 08:57 */
export function time(ms: number, zone?: string): string {
  return format(zone, { hour: "2-digit", minute: "2-digit" }).format(ms);
}

/** 08:57:31 */
export function seconds(ms: number, zone?: string): string {
  return format(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ms);
}

/** Date and time to the minute. */
export function moment(ms: number, zone?: string): string {
  return format(zone, { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" }).format(ms);
}

/** Month, day, and time to the minute: for instants of this year. */
export function shortMoment(ms: number, zone?: string): string {
  return format(zone, { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" }).format(ms);
}

/** 11月24日 周二 */
export function day(date: string): string {
  return format("UTC", { month: "short", day: "numeric", weekday: "short" }).format(Date.parse(`${date}T00:00:00Z`));
}

/** 2026年11月 */
export function month(period: string): string {
  return format("UTC", { year: "numeric", month: "long" }).format(Date.parse(`${period}-01T00:00:00Z`));
}

/** A month, or a quarter such as 2026 Q1. */
export function period(text: string): string {
  return text.includes("Q") ? text.replace("-", " ") : month(text);
}

export function fullDate(date: string): string {
  return format("UTC", { year: "numeric", month: "2-digit", day: "2-digit" }).format(Date.parse(`${date}T00:00:00Z`));
}

/** Local date of an instant. */
export function dateOf(ms: number, zone: string): string {
  return new Intl.DateTimeFormat("sv-SE", { timeZone: zone }).format(ms);
}

export function addDays(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

export function integer(n: number): string {
  return new Intl.NumberFormat(i18n.locale).format(n);
}

/** An exact decimal string without needless zeros: "40.0000" is "40". */
export function decimal(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** A value with its unit: percent and number units are kept apart from words. */
export function withUnit(value: string, unit: string): string {
  if (unit === "%") return `${decimal(value)}%`;
  const word = i18n.t.score.units[unit] ?? unit;
  return word.startsWith("/") ? `${decimal(value)}${word}` : `${decimal(value)} ${word}`.trim();
}

/** 120.5 MB */
export function bytes(n: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, n)) / 3));
  const options = { style: "unit", unit: units[power], maximumFractionDigits: power ? 1 : 0 } as const;
  return new Intl.NumberFormat(i18n.locale, options).format(n / 1000 ** power);
}

/** 40 秒前, 3 minutes ago */
export function ago(ms: number, now: number): string {
  const passed = Math.max(0, Math.round((now - ms) / 1000));
  const relative = new Intl.RelativeTimeFormat(i18n.locale, { numeric: "always", style: "short" });
  if (passed < 60) return relative.format(-passed, "second");
  if (passed < 3600) return relative.format(-Math.floor(passed / 60), "minute");
  if (passed < 86_400) return relative.format(-Math.floor(passed / 3600), "hour");
  return relative.format(-Math.floor(passed / 86_400), "day");
}

/** A length of time in its two largest units. */
export function duration(ms: number): string {
  const s = Math.round(Math.abs(ms) / 1000);
  return i18n.t.devices.duration(Math.floor(s / 86_400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60, s % 60);
}

export const viewerZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** a − b of two exact decimal strings, without binary fractions. */
export function minus(a: string, b: string): string {
  const places = Math.max(...[a, b].map((text) => text.split(".")[1]?.length ?? 0));
  const scaled = (text: string) => {
    const [whole = "0", part = ""] = text.split(".");
    return BigInt(whole + part.padEnd(places, "0"));
  };
  const difference = scaled(a) - scaled(b);
  const digits = (difference < 0n ? -difference : difference).toString().padStart(places + 1, "0");
  const text = places ? `${digits.slice(0, -places)}.${digits.slice(-places)}` : digits;
  return (difference < 0n ? "-" : "") + decimal(text);
}
