/** The server's answers: one typed client, and one kind of failure. */
import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./api.d.ts";

export type { components };
export type Schemas = components["schemas"];

/** Why a call gave nothing; `code` is the server's, or `network` when it could not be reached. */
export class Failure extends Error {
  readonly code: string;
  readonly status: number;
  readonly requestId: string;
  readonly parameters: Record<string, string>;

  constructor(code: string, status: number, requestId = "", parameters: Record<string, string> = {}) {
    super(code);
    this.code = code;
    this.status = status;
    this.requestId = requestId;
    this.parameters = parameters;
  }
}

/** Called when an answer says that the session is over. */
export const onSignedOut = { run: () => {} };

const guard: Middleware = {
  onRequest({ request }) {
    if (request.method !== "GET") request.headers.set("X-Muster", "1");
    return request;
  },
  onResponse({ response, schemaPath }) {
    if (response.status === 401 && schemaPath !== "/api/login" && schemaPath !== "/api/me") onSignedOut.run();
    return undefined;
  },
};

export const api = createClient<paths>({ credentials: "same-origin" });
api.use(guard);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of a call; throws Failure. */
export async function ask<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new Failure("network", 0);
  }
  if (answer.response.ok) return answer.data as T;
  const body = (answer.error ?? {}) as Partial<Schemas["ErrorView"]>;
  throw new Failure(body.code ?? `http_${answer.response.status}`, answer.response.status, body.request_id, body.parameters);
}
