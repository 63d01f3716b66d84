/** Where the page is: path and query of the address bar, which hold every filter. */

class Router {
  path = $state(location.pathname);
  query = $state.raw(new URLSearchParams(location.search));

  constructor() {
    addEventListener("popstate", () => this.#read());
    document.addEventListener("click", (event) => this.#follow(event));
  }

  /** A new entry in the history. */
  go(address: string): void {
    history.pushState(null, "", address);
    this.#read();
    scrollTo(0, 0);
  }

  /** The same entry with another address: for redirects and for typing in a search field. */
  replace(address: string): void {
    history.replaceState(null, "", address);
    this.#read();
  }

  /** Change parameters of the query; empty ones go. Typing replaces the entry, a choice makes a new one. */
  set(changes: Record<string, string | undefined>, how: "push" | "replace" = "push"): void {
    const address = this.with(changes);
    if (address === location.pathname + location.search) return;
    history[how === "push" ? "pushState" : "replaceState"](null, "", address);
    this.#read();
  }

  /** Address of this page with other parameters. */
  with(changes: Record<string, string | undefined>): string {
    const query = new URLSearchParams(this.query);
    for (const [key, value] of Object.entries(changes)) {
      if (value) query.set(key, value);
      else query.delete(key);
    }
    const text = query.toString();
    return this.path + (text ? `?${text}` : "");
  }

  get(key: string): string {
    return this.query.get(key) ?? "";
  }

  #read(): void {
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
  }

  /** Own links change the page without loading it again. */
  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.target || link.origin !== location.origin || link.hasAttribute("download")) return;
    if (link.pathname === location.pathname && link.search === location.search && link.hash) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }
}

export const router = new Router();
