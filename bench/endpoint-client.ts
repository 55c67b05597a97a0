import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { createSecureContext } from "node:tls";

export interface EndpointRequest {
  readonly endpoint: string;
  readonly token: string;
  readonly path?: string;
}

export type Ask = (request: EndpointRequest) => Promise<string>;

/** More than any start here takes; a request without an answer must not hold up a measurement for ever. */
const LIMIT_MS = 300_000;

/**
 * A client whose every request comes on a new connection, as a first visitor's does; resolves with the body of a 200.
 * The trusted certificates are read once, as a browser does, not for every request.
 */
export function createEndpointClient(caFile: string): Ask {
  const secureContext = createSecureContext({ ca: readFileSync(caFile) });
  const agent = new Agent({ secureContext, keepAlive: false, maxCachedSessions: 0 });
  return (wanted) => ask(wanted, agent);
}

function ask({ endpoint, token, path = "/" }: EndpointRequest, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const [servername = "", port = "443"] = endpoint.split(":");
    const headers = { host: endpoint, "x-aws-proxy-auth": token };
    const call = request(
      { host: "127.0.0.1", servername, port, path, agent, headers, timeout: LIMIT_MS },
      (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => (body += text));
        response.on("error", reject);
        response.on("end", () =>
          response.statusCode === 200 ? resolve(body) : reject(new Error(`HTTP ${response.statusCode} ${body}`)),
        );
      },
    );
    call.on("timeout", () => call.destroy(new Error(`${endpoint} did not answer within ${LIMIT_MS} ms`)));
    call.on("error", reject);
    call.end();
  });
}
