/** Local times of a site as the browser's input wants them. */

/** "2026-03-02T18:00" of an instant in a zone. */
export function localText(ms: number, zone: string): string {
  const text = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" }).format(ms);
  return text.replace(" ", "T").slice(0, 16);
}

/** The instant of such a text; undefined for one that is none. A skipped time moves forward, a repeated one is the first. */
export function instantOf(text: string, zone: string): number | undefined {
  const wanted = Date.parse(`${text}:00Z`);
  if (Number.isNaN(wanted)) return undefined;
  let ms = wanted;
  for (let i = 0; i < 3; i++) ms += wanted - Date.parse(`${localText(ms, zone)}:00Z`);
  return ms;
}
