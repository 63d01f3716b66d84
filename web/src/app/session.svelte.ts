import { api, ask, Failure, onSignedOut, type Schemas } from "./client";
import { router } from "./router.svelte";

export type Me = Schemas["MeView"];
export type Permission = Me["permissions"][number];

class Session {
  /** undefined: not known yet; null: nobody. */
  me = $state.raw<Me | null>();
  failure = $state.raw<Failure>();
  expired = $state(false);

  constructor() {
    onSignedOut.run = () => {
      if (this.me) this.expired = true;
      this.me = null;
    };
  }

  async load(): Promise<void> {
    try {
      this.me = await ask(api.GET("/api/me"));
      this.failure = undefined;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.status === 401) this.me = null;
      else this.failure = error;
    }
  }

  async signIn(login: string, password: string): Promise<void> {
    const before = this.me;
    this.me = await ask(api.POST("/api/login", { body: { login, password } }));
    this.expired = false;
    if (before === null && router.path === "/login") router.replace(nextAfterLogin());
  }

  async signOut(): Promise<void> {
    try {
      await ask(api.POST("/api/logout"));
    } catch (error) {
      if (!(error instanceof Failure) || error.status !== 401) throw error;
    }
    this.expired = false;
    this.me = null;
    router.replace("/login");
  }

  may(permission: Permission): boolean {
    return this.me?.permissions.includes(permission) ?? false;
  }
}

/** Only an address of our own: `next` comes from the address bar. */
function nextAfterLogin(): string {
  const next = router.get("next");
  return /^\/(?![/\\])/.test(next) ? next : "/";
}

export const session = new Session();
