export type Theme = "system" | "light" | "dark";

const KEPT = "muster.theme";
const ORDER: readonly Theme[] = ["system", "light", "dark"];

function kept(): Theme {
  return ORDER.find((theme) => theme === localStorage.getItem(KEPT)) ?? "system";
}

class Appearance {
  theme = $state<Theme>(kept());

  constructor() {
    this.#apply();
  }

  /** Take the next of system, light and dark. */
  next(): void {
    this.theme = ORDER[(ORDER.indexOf(this.theme) + 1) % ORDER.length] ?? "system";
    localStorage.setItem(KEPT, this.theme);
    this.#apply();
  }

  #apply(): void {
    if (this.theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.theme;
  }
}

export const appearance = new Appearance();
