/** Fetches a file and says how far it is; the browser keeps it as a download. */
import { Failure } from "../../app/client";

class Download {
  /** off, preparing (the server makes the file), receiving. */
  state = $state<"off" | "preparing" | "receiving">("off");
  done = $state(0);
  most = $state<number>();

  /** Name of the file; throws Failure. */
  async get(address: string): Promise<string> {
    this.state = "preparing";
    this.done = 0;
    this.most = undefined;
    try {
      const answer = await fetch(address, { credentials: "same-origin" }).catch(() => {
        throw new Failure("network", 0);
      });
      if (!answer.ok) throw new Failure(`http_${answer.status}`, answer.status);
      this.state = "receiving";
      this.most = Number(answer.headers.get("content-length")) || undefined;
      const name = nameOf(answer.headers.get("content-disposition") ?? "");
      save(name, await this.#read(answer));
      return name;
    } finally {
      this.state = "off";
    }
  }

  async #read(answer: Response): Promise<Blob> {
    const pieces: BlobPart[] = [];
    const reader = answer.body?.getReader();
    for (;;) {
      const piece = await reader?.read();
      if (!piece || piece.done) break;
      pieces.push(piece.value);
      this.done += piece.value.length;
    }
    return new Blob(pieces, { type: answer.headers.get("content-type") ?? "" });
  }
}

function nameOf(disposition: string): string {
  const coded = /filename\*=UTF-8''([^;]+)/.exec(disposition)?.[1];
  return coded ? decodeURIComponent(coded) : "report";
}

function save(name: string, file: Blob): void {
  const address = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

export const download = new Download();
