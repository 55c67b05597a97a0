import { readFileSync } from "node:fs";
import { request } from "node:https";

/** Asks a microVM's endpoint on a new connection, as a first visitor does; resolves with the body of a 200. */
export function ask(endpoint: string, token: string, caFile: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const [host = "", port = "443"] = endpoint.split(":");
    const call = request(
      { host, port, ca: readFileSync(caFile), agent: false, headers: { "x-aws-proxy-auth": token } },
      (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => (body += text));
        response.on("end", () =>
          response.statusCode === 200 ? resolve(body) : reject(new Error(`HTTP ${response.statusCode} ${body}`)),
        );
      },
    );
    call.on("error", reject);
    call.end();
  });
}
