import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { LambdaMicrovms } from "@aws-sdk/client-lambda-microvms";
import { z } from "zod";
import { AppError } from "../errors/app-error.ts";
import { environment } from "./env.ts";
import { lookupLoopback } from "./lookup-loopback.ts";
import { clientSettings } from "./client-settings.ts";

/** Needed only for the moment of asking for the link. */
const TOKEN_MINUTES = 1;
const LINK_PATH = "/.well-known/catnap/link";
const ANSWER_LIMIT_MS = 10_000;
const MAX_ANSWER_CHARACTERS = 4096;

const linkAnswer = z.object({ path: z.string().startsWith("/.well-known/catnap/open/"), expiresAt: z.iso.datetime() });

/** Prints a one-time link for a browser; whoever opens it first is let in, to this port of this microVM. */
export async function open(microvmId: string, portText: string): Promise<number> {
  const port = Number(portText);
  if (!/^\d{1,5}$/.test(portText) || port < 1 || port > 65535) {
    process.stderr.write(`catnap: ${portText} is not a port; give a number from 1 to 65535\n`);
    return 2;
  }
  const variables = await environment();
  if (variables === undefined)
    throw new AppError("ERR_CONFIG_INVALID", { message: "Catnap is not running; start it with: catnap up --detach" });
  const { endpoint, token } = await askForToken(variables, microvmId, port);
  const ca = await readFile(variables["AWS_CA_BUNDLE"] ?? "", "utf8");
  const { path } = await askForLink({ endpoint, token, port, ca });
  process.stdout.write(`https://${endpoint}${path}\n`);
  return 0;
}

async function askForToken(
  variables: Readonly<Record<string, string>>,
  microvmIdentifier: string,
  port: number,
): Promise<{ endpoint: string; token: string }> {
  const client = new LambdaMicrovms(clientSettings(variables));
  try {
    const scope = { allowedPorts: [{ port }], expirationInMinutes: TOKEN_MINUTES };
    const [{ endpoint = "" }, { authToken = {} }] = await Promise.all([
      client.getMicrovm({ microvmIdentifier }),
      client.createMicrovmAuthToken({ microvmIdentifier, ...scope }),
    ]);
    return { endpoint, token: authToken["X-aws-proxy-auth"] ?? "" };
  } catch (cause) {
    throw new AppError("ERR_SERVICE_FAULT", { message: cause instanceof Error ? cause.message : String(cause), cause });
  } finally {
    client.destroy();
  }
}

interface LinkRequest {
  readonly endpoint: string;
  readonly token: string;
  readonly port: number;
  readonly ca: string;
}

/** Trades the token for a link, which then carries no token that opens anything a second time. */
function askForLink({ endpoint, token, port, ca }: LinkRequest): Promise<z.infer<typeof linkAnswer>> {
  const headers = { "x-aws-proxy-auth": token, "x-aws-proxy-port": String(port), "content-length": "0" };
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void =>
      reject(new AppError("ERR_SERVICE_FAULT", { message: `The endpoint gave no link: ${why}`, cause }));
    const options = { method: "POST", ca, headers, lookup: lookupLoopback, agent: false, timeout: ANSWER_LIMIT_MS };
    const call = request(`https://${endpoint}${LINK_PATH}`, options, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        if (body.length < MAX_ANSWER_CHARACTERS) body += text;
      });
      response.once("error", (cause) => fail(cause.message, cause));
      response.once("end", () => {
        if (response.statusCode !== 201) return fail(`${response.statusCode} ${body.trim()}`);
        const answer = linkAnswer.safeParse(parseJson(body));
        if (answer.success) resolve(answer.data);
        else fail("its answer is none of this version's; is the server of the same version as this program?");
      });
    });
    call.once("timeout", () => call.destroy(new Error(`no answer within ${ANSWER_LIMIT_MS} ms`)));
    call.once("error", (cause) => fail(cause.message, cause));
    call.end();
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
