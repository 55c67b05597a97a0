import { readFileSync } from "node:fs";
import { request } from "node:https";

const LIMIT_MS = 60_000;

export interface EndpointQuestion {
  /** "host" or "host:port" */
  readonly endpoint: string;
  readonly token: string;
  readonly port: number;
  readonly path: string;
  readonly caFile: string;
  /** Sent with POST. */
  readonly body?: string;
  /** Hangs up. */
  readonly signal?: AbortSignal;
  /** Told of what comes, as it comes. */
  readonly onText?: (text: string) => void;
}

/** A request on a connection of its own; resolves with the body of a 200, and with nothing else. */
export function askEndpoint(question: EndpointQuestion): Promise<string> {
  const { endpoint, token, port, path, caFile, body: sent, signal, onText = () => {} } = question;
  return new Promise<string>((resolve, reject) => {
    const [host = "", listener = "443"] = endpoint.split(":");
    const headers = { "x-aws-proxy-auth": token, "x-aws-proxy-port": String(port) };
    const method = sent === undefined ? "GET" : "POST";
    const ca = readFileSync(caFile);
    const call = request(
      { host, port: listener, path, method, ca, agent: false, timeout: LIMIT_MS, headers, signal },
      (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => {
          body += text;
          onText(text);
        });
        response.on("error", reject);
        response.on("end", () =>
          response.statusCode === 200 ? resolve(body) : reject(new Error(`HTTP ${response.statusCode} ${body}`)),
        );
      },
    );
    call.on("timeout", () => call.destroy(new Error(`no answer within ${LIMIT_MS} ms`)));
    call.on("error", reject);
    call.end(sent);
  });
}
