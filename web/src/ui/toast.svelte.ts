/** A short message about what was just done; it goes by itself, unless it is a fault. */
class Toast {
  text = $state("");
  fault = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;

  show(text: string, fault = false): void {
    clearTimeout(this.#timer);
    this.text = text;
    this.fault = fault;
    if (!fault) this.#timer = setTimeout(() => this.close(), 8000);
  }

  close(): void {
    this.text = "";
  }
}

export const toast = new Toast();
