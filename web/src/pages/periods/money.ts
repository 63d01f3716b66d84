/** An amount in minor units with two decimals; nothing is rounded. */
export function moneyText(minor: number): string {
  const digits = String(Math.abs(minor)).padStart(3, "0");
  return `${minor < 0 ? "−" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
