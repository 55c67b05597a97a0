import type { ClientExchange, RefusalMessage } from "./client-exchange.ts";
import { fieldOf } from "./http/field-of.ts";

/** Whether a person looks at the answer: only browsers say so, of a visit to a whole page. */
export function isVisit({ rawHeaders }: ClientExchange): boolean {
  return fieldOf(rawHeaders, "sec-fetch-dest") === "document";
}

/** A refusal as a page: the same status, headers and words, and what to do. */
export function refusalPage({ status, headers, body: text }: RefusalMessage, advice = ""): RefusalMessage {
  const body =
    `<!doctype html><meta charset="utf-8"><title>${status}</title>` +
    "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em}</style>" +
    `<h1>${escapeHtml(text === "" ? "Not available" : text)}</h1><p>${advice}</p>`;
  const own = {
    "content-type": "text/html; charset=utf-8",
    "content-length": String(Buffer.byteLength(body)),
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
  };
  return { status, headers: { ...headers, ...own }, body };
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
