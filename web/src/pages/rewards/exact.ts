/** Exact numbers as the server keeps them, and as people write them. */

/** A percentage as an exact part of 1 ("2.5" is "25/1000"); undefined for what is none above 0. */
export function partOf(percent: string): string | undefined {
  const found = /^(\d{1,3})(?:\.(\d{1,3}))?$/.exec(percent.trim());
  if (!found) return undefined;
  const decimals = found[2] ?? "";
  const digits = Number(`${found[1]}${decimals}`);
  return digits ? `${digits}/${100 * 10 ** decimals.length}` : undefined;
}

/** A part of 1, as "0.1" or "25/1000", as a number. */
export function numberOf(part: string): number {
  const [above = "0", below = "1"] = part.split("/");
  return Number(above) / Number(below);
}

/** A part of 1 as a percentage without needless decimals. */
export function percentOf(part: string): string {
  return String(Number((numberOf(part) * 100).toFixed(4)));
}

/** An amount in minor units; undefined for what is none. */
export function minorOf(amount: string): number | undefined {
  const found = /^(\d{1,9})(?:\.(\d{1,2}))?$/.exec(amount.trim().replaceAll(",", ""));
  return found ? Number(`${found[1]}${(found[2] ?? "").padEnd(2, "0")}`) : undefined;
}
