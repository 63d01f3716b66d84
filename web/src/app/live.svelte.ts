/** The one stream of this tab: frames for what the open views watch. */
import type { Schemas } from "./client";

export type Frame = Schemas["Frame"];

interface Watch {
  topics: string[];
  onFrame: (frame: Frame) => unknown;
  /** Frames may have been missed: fetch again. */
  onGap: () => void;
}

const HIDDEN_MS = 60_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

class Live {
  /** connecting, live or offline. */
  state = $state<"off" | "connecting" | "live" | "offline">("off");
  /** Date.now() of the newest data or frame on the page; 0 before any. */
  dataAt = $state(0);
  #watches = new Set<Watch>();
  #versions = new Map<string, number>();
  #stream: EventSource | undefined;
  #topics = "";
  #retry: ReturnType<typeof setTimeout> | undefined;
  #hidden: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #lost = false;

  constructor() {
    document.addEventListener("visibilitychange", () => {
      clearTimeout(this.#hidden);
      if (document.hidden) this.#hidden = setTimeout(() => this.#pause(), HIDDEN_MS);
      else if (this.#stream === undefined) this.#open();
    });
    addEventListener("online", () => {
      // A stream from before may look alive for minutes, and what a page asked for meanwhile has failed.
      this.#lost = true;
      this.#open();
    });
  }

  /** Follow topics until the returned function is called. */
  watch(topics: string[], onFrame: Watch["onFrame"], onGap: Watch["onGap"]): () => void {
    const watch = { topics, onFrame, onGap };
    this.#watches.add(watch);
    queueMicrotask(() => this.#fit());
    return () => {
      this.#watches.delete(watch);
      queueMicrotask(() => this.#fit());
    };
  }

  noteData(): void {
    this.dataAt = Date.now();
  }

  /** Open another stream if the topics changed. */
  #fit(): void {
    const wanted = [...new Set([...this.#watches].flatMap((watch) => watch.topics))].sort().join(",");
    if (wanted === this.#topics) return;
    this.#topics = wanted;
    this.#versions.clear();
    this.#lost = false;
    this.#open();
  }

  #open(): void {
    this.#close();
    if (this.#topics === "") {
      this.state = "off";
      return;
    }
    if (this.state !== "offline") this.state = "connecting";
    const stream = new EventSource(`/live?topics=${encodeURIComponent(this.#topics)}`);
    this.#stream = stream;
    stream.onopen = () => {
      this.state = "live";
      this.#failures = 0;
      if (!this.#lost) return;
      this.#lost = false;
      this.#versions.clear();
      for (const watch of this.#watches) watch.onGap();
    };
    stream.onmessage = (event: MessageEvent<string>) => this.#receive(JSON.parse(event.data) as Frame);
    stream.onerror = () => {
      this.#lost = true;
      this.state = "offline";
      if (stream.readyState === EventSource.CLOSED) this.#again();
    };
  }

  #receive(frame: Frame): void {
    if (frame.version < (this.#versions.get(frame.topic) ?? 0)) return;
    this.#versions.set(frame.topic, frame.version);
    this.dataAt = Date.now();
    for (const watch of this.#watches) {
      if (watch.topics.includes(frame.topic)) watch.onFrame(frame);
    }
  }

  /** The browser gave up: the server refused the stream. A fetch tells whether the session is over. */
  #again(): void {
    this.#close();
    for (const watch of this.#watches) watch.onGap();
    const delay = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++);
    this.#retry = setTimeout(() => this.#open(), delay * (0.5 + Math.random()));
  }

  #pause(): void {
    if (this.#stream === undefined) return;
    this.#close();
    this.#lost = true;
    this.state = "connecting";
  }

  #close(): void {
    clearTimeout(this.#retry);
    this.#stream?.close();
    this.#stream = undefined;
  }
}

export const live = new Live();
