/** Targets as people write and read them; exact decimals as text. */
import * as format from "../../app/format";
import { i18n } from "../../app/i18n/index.svelte";

/** A decimal above 0 as it is sent; undefined for what is none. */
export function amountOf(text: string): string | undefined {
  const plain = text.trim().replaceAll(/[,，]/g, "");
  return /^\d{1,12}(\.\d{1,6})?$/.test(plain) && /[1-9]/.test(plain) ? plain : undefined;
}

/** 1,200,000 元 */
export function amountText(target: string, measure: string): string {
  const [whole = "", part] = format.decimal(target).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return format.withUnit(part ? `${grouped}.${part}` : grouped, measure);
}

/** The unit of an indicator in words. */
export const measureText = (measure: string): string => i18n.t.score.units[measure] ?? measure;
