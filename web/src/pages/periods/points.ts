/** Points as they are typed, as the server reads them; undefined for what is none. */
export function pointsOf(text: string): string | undefined {
  const plain = text.trim().replace("−", "-").replace("+", "");
  if (!/^-?\d{1,2}(\.\d{1,2})?$/.test(plain)) return undefined;
  const value = Number(plain);
  return value && Math.abs(value) <= 10 ? plain : undefined;
}
