import { request } from "node:https";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import {
  CreateMicrovmAuthTokenCommand,
  DeleteMicrovmImageCommand,
  GetMicrovmCommand,
  LambdaMicrovmsClient,
  ListMicrovmsCommand,
  ResumeMicrovmCommand,
  RunMicrovmCommand,
  SuspendMicrovmCommand,
  TerminateMicrovmCommand,
} from "@aws-sdk/client-lambda-microvms";
import { expect, onTestFinished, test, vi } from "vitest";
import { clientSettings } from "../../src/cli/client-settings.ts";
import { AwsCli } from "../support/aws.ts";
import { Builds } from "../support/bad-builds.ts";
import { newCatnapServer } from "../support/catnap-server.ts";

/** A page that counts in memory and on disk, one that starts a listener inside, and one that looks for it. */
const SCRIPTS = {
  count:
    "n=$(($(busybox cat /dev/shm/n 2>/dev/null || echo 0)+1)); echo $n >/dev/shm/n; d=$(($(busybox cat /n 2>/dev/null || echo 0)+1)); echo $d >/n; echo $n $d",
  listen: "busybox nc -ll -p 9000 -e /bin/busybox echo hi >/dev/null 2>&1 </dev/null & echo started",
  look: '[ "$(busybox nc -w 2 172.16.0.2 9000 </dev/null)" = hi ] && echo open || echo closed',
};
const ARCHIVE = `
z.write("busybox")
${Object.entries(SCRIPTS)
  .map(
    ([name, script]) =>
      `z.writestr("${name}", ${JSON.stringify(`#!/bin/busybox sh\nexport PATH=/bin\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\n${script}\n`)})`,
  )
  .join("\n")}
z.writestr("Dockerfile", """FROM scratch
COPY busybox /bin/busybox
COPY count listen look /www/cgi-bin/
RUN ["/bin/busybox", "chmod", "755", "/www/cgi-bin/count", "/www/cgi-bin/listen", "/www/cgi-bin/look"]
EXPOSE 8080
CMD ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
""")`;

test("the JavaScript SDK runs two microVMs of one image, each with its own memory, disk and network", async () => {
  const server = await newCatnapServer();
  onTestFinished(() => server.dispose());
  await server.start();
  const aws = await AwsCli.open(server.clientEnv);
  onTestFinished(() => aws.dispose());
  const builds = await Builds.open(aws, "sdk-flow");
  const { arn, state } = await builds.build("counter", { archive: ARCHIVE });
  expect(state).toBe("CREATED");

  const env = server.clientEnv();
  const client = new LambdaMicrovmsClient(clientSettings(env));
  onTestFinished(() => client.destroy());
  const becomes = (microvmIdentifier: string, wanted: string) =>
    vi.waitFor(
      async () => expect((await client.send(new GetMicrovmCommand({ microvmIdentifier }))).state).toBe(wanted),
      { timeout: 60_000, interval: 50 },
    );
  const run = async () => {
    const { microvmId = "", endpoint = "" } = await client.send(
      new RunMicrovmCommand({
        imageIdentifier: arn,
        idlePolicy: { autoResumeEnabled: true, maxIdleDurationSeconds: 900, suspendedDurationSeconds: 300 },
      }),
    );
    const { authToken } = await client.send(
      new CreateMicrovmAuthTokenCommand({
        microvmIdentifier: microvmId,
        expirationInMinutes: 30,
        allowedPorts: [{ port: 8080 }],
      }),
    );
    const token = authToken?.["X-aws-proxy-auth"] ?? "";
    return { microvmId, get: (page: string) => get(endpoint, { page, token, caFile: env["AWS_CA_BUNDLE"] ?? "" }) };
  };
  const [one, two] = await Promise.all([run(), run()]);
  for (const expected of ["1 1", "2 2", "3 3"]) expect(await one.get("count")).toBe(expected);
  expect(await two.get("count")).toBe("1 1");
  expect(await one.get("look")).toBe("closed");
  await one.get("listen");
  await vi.waitFor(async () => expect(await one.get("look")).toBe("open"), { timeout: 30_000 });
  expect(await two.get("look")).toBe("closed");

  await client.send(new SuspendMicrovmCommand({ microvmIdentifier: one.microvmId }));
  await becomes(one.microvmId, "SUSPENDED");
  expect(await two.get("count")).toBe("2 2");
  await client.send(new ResumeMicrovmCommand({ microvmIdentifier: one.microvmId }));
  await becomes(one.microvmId, "RUNNING");
  expect([await one.get("count"), await one.get("look")]).toEqual(["4 4", "open"]);

  const { items = [] } = await client.send(new ListMicrovmsCommand({}));
  expect(new Set(items.map(({ microvmId }) => microvmId))).toEqual(new Set([one.microvmId, two.microvmId]));
  for (const { microvmId } of [one, two]) {
    await client.send(new TerminateMicrovmCommand({ microvmIdentifier: microvmId }));
    await becomes(microvmId, "TERMINATED");
  }
  await client.send(new DeleteMicrovmImageCommand({ imageIdentifier: arn }));
});

async function get(
  endpoint: string,
  { page, token, caFile }: { page: string; token: string; caFile: string },
): Promise<string> {
  const [host = "", port = "443"] = endpoint.split(":");
  const call = request({
    host,
    port,
    path: `/cgi-bin/${page}`,
    ca: readFileSync(caFile),
    agent: false,
    headers: { "x-aws-proxy-auth": token },
  }).end();
  const [response] = (await once(call, "response")) as [IncomingMessage];
  const body = (await text(response)).trim();
  if (response.statusCode !== 200) throw new Error(`HTTP ${response.statusCode} ${body}`);
  return body;
}
