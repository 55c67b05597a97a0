import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import { createSecureContext } from "node:tls";

export interface EndpointRequest {
  readonly endpoint: string;
  readonly token: string;
  readonly path?: string;
}

export interface EndpointClient {
  /** Resolves with the body of a 200. */
  readonly ask: (request: EndpointRequest) => Promise<string>;
}

/** More than any start here takes; a request without an answer must not hold up a measurement for ever. */
const LIMIT_MS = 300_000;

/**
 * A client whose every request comes on a new connection, as a first visitor's does. The trusted certificates are read
 * once, as a browser does, not for every request.
 */
export function createEndpointClient(caFile: string): EndpointClient {
  const secureContext = createSecureContext({ ca: readFileSync(caFile) });
  const agent = new Agent({ secureContext, keepAlive: false, maxCachedSessions: 0 });
  const open = (wanted: EndpointRequest) => call(wanted, agent);
  return {
    async ask(wanted) {
      const response = await open(wanted);
      const body = await text(response);
      if (response.statusCode !== 200) throw new Error(`HTTP ${response.statusCode} ${body}`);
      return body;
    },
  };
}

function call({ endpoint, token, path = "/" }: EndpointRequest, agent: Agent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const [servername = "", port = "443"] = endpoint.split(":");
    const headers = { host: endpoint, "x-aws-proxy-auth": token };
    const sent = request({ host: "127.0.0.1", servername, port, path, agent, headers, timeout: LIMIT_MS }, resolve);
    sent.on("timeout", () => sent.destroy(new Error(`${endpoint} did not answer within ${LIMIT_MS} ms`)));
    sent.on("error", reject);
    sent.end();
  });
}
