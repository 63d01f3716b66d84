import type { Dictionary } from "./zh-CN";

export type Locale = "zh-CN" | "en";

const KEPT = "muster.locale";
const dictionaries: Record<Locale, () => Promise<Dictionary>> = {
  "zh-CN": async () => (await import("./zh-CN")).zh,
  en: async () => (await import("./en")).en,
};

function preferred(): Locale {
  const kept = localStorage.getItem(KEPT);
  if (kept === "zh-CN" || kept === "en") return kept;
  for (const language of navigator.languages) {
    if (language.startsWith("zh")) return "zh-CN";
    if (language.startsWith("en")) return "en";
  }
  return "zh-CN";
}

class I18n {
  locale = $state<Locale>("zh-CN");
  #texts = $state.raw<Dictionary>();

  /** The texts of the language in use; `start` comes first. */
  get t(): Dictionary {
    if (this.#texts === undefined) throw new Error("i18n.start() has not finished");
    return this.#texts;
  }

  /** Load the viewer's language. */
  async start(): Promise<void> {
    await this.#take(preferred());
  }

  /** Change the language of the page, without loading it again. */
  async use(locale: Locale): Promise<void> {
    await this.#take(locale);
    localStorage.setItem(KEPT, locale);
  }

  /** A bilingual name in the language in use. */
  name(of: { name_zh: string; name_en: string }): string {
    return this.locale === "zh-CN" ? of.name_zh : of.name_en;
  }

  /** Texts of one area of pages, which come with the area and not with the first load. */
  pick<T>(by: Record<Locale, T>): T {
    return by[this.locale];
  }

  async #take(locale: Locale): Promise<void> {
    this.#texts = await dictionaries[locale]();
    this.locale = locale;
    document.documentElement.lang = locale;
  }
}

export const i18n = new I18n();
