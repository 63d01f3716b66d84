import { Failure } from "./client";
import { live } from "./live.svelte";

/** What a view shows: the newest answer, and the failure of the last attempt beside it. */
export class Resource<T> {
  data = $state.raw<T>();
  failure = $state.raw<Failure>();
  busy = $state(false);
  loadedAt = $state(0);
  #load: (signal: AbortSignal) => Promise<T>;
  #running: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastSoon = 0;

  constructor(load: (signal: AbortSignal) => Promise<T>) {
    this.#load = load;
  }

  /** Fetch again; the old data stays until the new is there. An attempt under way is given up. */
  async load(): Promise<void> {
    this.#running?.abort();
    const mine = new AbortController();
    this.#running = mine;
    this.busy = true;
    try {
      const data = await this.#load(mine.signal);
      if (this.#running !== mine) return;
      this.data = data;
      this.failure = undefined;
      this.loadedAt = Date.now();
      live.noteData();
    } catch (error) {
      if (this.#running !== mine) return;
      this.failure = error instanceof Failure ? error : new Failure("page", 0);
      if (this.failure.code !== "network" && this.failure.status < 500) this.data = undefined;
      if (!(error instanceof Failure)) console.error(error);
    }
    this.busy = false;
  }

  /** Fetch again soon: at once if the last time is long ago, else when `gapMs` have passed, so that frames never flood. */
  soon(gapMs = 2000): void {
    if (this.#timer !== undefined) return;
    const wait = Math.max(0, this.#lastSoon + gapMs - Date.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#lastSoon = Date.now();
      void this.load();
    }, wait);
  }

  /** Forget all: for another subject in the same view. */
  clear(): void {
    this.data = undefined;
    this.failure = undefined;
  }

  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
