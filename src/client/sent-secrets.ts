/** What a request holds that must not come back in anybody's words: registries may quote what they were sent. */
import { Redactor } from "../internal/redactor.ts";
import type { HttpRequest, HttpResponse, HttpSend } from "./http.ts";

const REQUESTS = new WeakMap<object, HttpRequest>();

/** The same, but its answers are known by their requests; see {@link hideSent}. */
export function rememberingRequests(send: HttpSend): HttpSend {
  return async (request) => {
    const response = await send(request);
    REQUESTS.set(response, request);
    return response;
  };
}

/** A text of the answer's without anything secret that its request held. */
export function hideSent(response: Pick<HttpResponse, "pump">, text: string): string {
  const request = REQUESTS.get(response);
  if (request === undefined || text === "") return text;
  const redactor = new Redactor();
  addSentSecrets(redactor, request);
  return redactor.text(text);
}

export function addSentSecrets(redactor: Redactor, { headers, body, url }: HttpRequest): void {
  const [scheme = "", value = ""] = (headers["authorization"] ?? "").split(/ (.*)/s);
  redactor.add(value);
  if (/^basic$/i.test(scheme)) {
    const text = Buffer.from(value, "base64").toString("utf8");
    const colon = text.indexOf(":");
    redactor.addLogin(text.slice(0, colon), text.slice(colon + 1));
  }
  redactor.add(url.password);
  if (!(body instanceof Uint8Array) || !isForm(headers)) return;
  const form = new URLSearchParams(Buffer.from(body).toString("utf8"));
  const username = form.get("username") ?? "";
  redactor.addLogin(username, form.get("password") ?? "");
  redactor.add(form.get("refresh_token") ?? undefined);
}

function isForm(headers: HttpRequest["headers"]): boolean {
  return (headers["content-type"] ?? "").startsWith("application/x-www-form-urlencoded");
}
