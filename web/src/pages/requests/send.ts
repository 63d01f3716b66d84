/** Calls that several views make. */
import { api, ask, type Schemas } from "../../app/client";

/** Add a document to a request: its bytes are the body. Throws Failure. */
export function sendFile(number: number, file: File): Promise<Schemas["FileView"]> {
  return ask(
    api.POST("/api/requests/{number}/files", {
      params: { path: { number }, query: { name: file.name } },
      body: file as unknown as string,
      bodySerializer: (body) => body as unknown as BodyInit,
      headers: { "Content-Type": "application/octet-stream" },
    }),
  );
}
