/** An amount in minor units with two decimals, thousands apart; nothing is rounded. */
export function moneyText(minor: number): string {
  const digits = String(Math.abs(minor)).padStart(3, "0");
  const whole = digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${minor < 0 ? "−" : ""}${whole}.${digits.slice(-2)}`;
}

/** How an amount changes, with its sign: "+1,200.00". */
export function moneyChange(before: number, after: number): string {
  return `${after > before ? "+" : ""}${moneyText(after - before)}`;
}
