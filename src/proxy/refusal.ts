import type { ClientExchange, RefusalMessage } from "./client-exchange.ts";
import { isVisit, refusalPage } from "./refusal-page.ts";
import { REQUEST_ID } from "./http/request-id.ts";

/** Why the proxy answers a request itself. Refusals are ordinary traffic, so they are values and not errors. */
export type Refusal =
  /** The request breaks HTTP or the proxy's own rules; `why` is shown to the client. */
  | { readonly refused: "malformed"; readonly why: string }
  | { readonly refused: "method-not-allowed" }
  | { readonly refused: "header-too-large" }
  | { readonly refused: "request-timeout" }
  /** No token, or none that opens, or an expired one. */
  | { readonly refused: "missing-authentication" }
  /** A genuine token, but not of the microVM that SNI and Host name. */
  | { readonly refused: "token-mismatch" }
  | { readonly refused: "port-denied" }
  /** A page of another origin used the cookie of this one. */
  | { readonly refused: "foreign-origin" }
  /** A one-time link that was opened already, has expired, or never was. */
  | { readonly refused: "link-used" }
  /** A shell token where no shell is spoken. */
  | { readonly refused: "shell-token" }
  | { readonly refused: "asleep" }
  | { readonly refused: "too-many-waiting" }
  | { readonly refused: "too-many-connections" }
  | { readonly refused: "rate-limited" }
  | { readonly refused: "microvm-unreachable" }
  | { readonly refused: "port-closed"; readonly port: number }
  /** The application's answer ended early or is not HTTP. */
  | { readonly refused: "bad-response" }
  | { readonly refused: "internal" };

export type RefusalKind = Refusal["refused"];

interface RefusalAnswer {
  readonly status: number;
  readonly text: string;
  /** `x-aws-proxy-error`, where the service was seen to send one (contract 6.3). */
  readonly error?: string;
  /** What a person in front of a browser can do, as HTML. */
  readonly advice?: string;
}

const NEW_LINK =
  "Links are made where Catnap runs: <code>catnap open MICROVM_ID</code>. A link works once and within two minutes; " +
  "this browser is then let in for eight hours.";
const OTHER_PORT = "To open another port: <code>catnap open MICROVM_ID --port PORT</code>.";
const STATE = "Its state: <code>aws lambda-microvms get-microvm --microvm-identifier MICROVM_ID</code>.";
const WAKE = "<code>aws lambda-microvms resume-microvm --microvm-identifier MICROVM_ID</code>";

const ANSWERS: Readonly<Record<RefusalKind, RefusalAnswer>> = {
  malformed: { status: 400, text: "Malformed request" },
  "method-not-allowed": { status: 405, text: "Method not allowed" },
  "header-too-large": { status: 431, text: "Request header fields too large" },
  "request-timeout": { status: 408, text: "Request header not received in time" },
  "missing-authentication": {
    status: 403,
    text: "Request missing authentication",
    error: "UNAUTHORIZED",
    advice: `This page opens by a link, or the link was opened more than eight hours ago. ${NEW_LINK}`,
  },
  "token-mismatch": { status: 403, text: "Token authentication failed", error: "UNAUTHORIZED", advice: NEW_LINK },
  "port-denied": { status: 403, text: "Access to port denied", error: "UNAUTHORIZED", advice: OTHER_PORT },
  "foreign-origin": { status: 403, text: "Access from another origin denied", error: "UNAUTHORIZED" },
  "link-used": {
    status: 403,
    text: "This link was opened before, or has expired. Make a new one: catnap open MICROVM_ID",
    error: "UNAUTHORIZED",
    advice: NEW_LINK,
  },
  "shell-token": { status: 502, text: "" },
  asleep: { status: 502, text: "", advice: `The MicroVM sleeps and requests do not wake it. This does: ${WAKE}.` },
  "too-many-waiting": { status: 429, text: "Too many requests wait for this MicroVM to wake" },
  "too-many-connections": { status: 429, text: "Too many connections to this MicroVM" },
  "rate-limited": { status: 429, text: "Too many requests to this MicroVM" },
  "microvm-unreachable": {
    status: 502,
    text: "MicroVM is not reachable",
    error: "MICROVM_CONNECT_FAILED",
    advice: `It has ended, or is just starting. ${STATE}`,
  },
  "port-closed": {
    status: 502,
    text: "Nothing listens on the port",
    error: "APP_CONNECT_FAILED",
    advice: `The application has not begun to listen there, or listens elsewhere. ${OTHER_PORT}`,
  },
  "bad-response": { status: 502, text: "The application did not give a valid HTTP response" },
  internal: { status: 500, text: "Internal error" },
};

/** The answer to a refused request (contract 6.1, 6.3). */
export function refusalMessage(refusal: Refusal, requestId: string): RefusalMessage {
  const { status, text, error } = ANSWERS[refusal.refused];
  const body = refusal.refused === "malformed" ? `${text}: ${refusal.why}` : portText(refusal, text);
  const headers: Record<string, string> = {
    [REQUEST_ID]: requestId,
    "cache-control": "private, no-store",
    "content-length": String(Buffer.byteLength(body)),
  };
  if (body !== "") headers["content-type"] = "text/plain; charset=utf-8";
  if (error !== undefined) headers["x-aws-proxy-error"] = error;
  return { status, headers, body };
}

function portText(refusal: Refusal, text: string): string {
  return refusal.refused === "port-closed" ? `${text} ${refusal.port} of the MicroVM` : text;
}

/** Answers with a refusal; cuts the client off when part of another answer is already out. */
export function sendRefusal(
  client: ClientExchange,
  refusal: Refusal,
  moreHeaders: Readonly<Record<string, string>> = {},
): void {
  if (client.isDone) return;
  if (client.isBegun) return client.cut();
  const message = refusalMessage(refusal, client.requestId);
  const { status, headers, body } = isVisit(client) ? refusalPage(message, ANSWERS[refusal.refused].advice) : message;
  client.reply({ status, headers: { ...headers, ...moreHeaders }, body });
}

/** A refusal as raw bytes, for what is no request. */
export function rawRefusal(refusal: Refusal, requestId: string): string {
  const { status, headers, body } = refusalMessage(refusal, requestId);
  const lines = Object.entries({ ...headers, connection: "close" }).map(([name, value]) => `${name}: ${value}`);
  return `HTTP/1.1 ${status} Refused\r\n${lines.join("\r\n")}\r\n\r\n${body}`;
}
