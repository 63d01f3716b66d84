import { Failure } from "../../app/client";
import { words } from "./words";

/** Something a form does: whether it is under way, and what went wrong, in words. */
export class Deed {
  busy = $state(false);
  fault = $state("");

  async run(work: () => Promise<void>): Promise<void> {
    this.busy = true;
    this.fault = "";
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const w = words();
      this.fault = w.errors[error.code] ?? w.failed(error.code);
    } finally {
      this.busy = false;
    }
  }
}
