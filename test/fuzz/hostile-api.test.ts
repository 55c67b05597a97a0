import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as logsSchemas from "@aws-sdk/client-cloudwatch-logs";
import * as iamSchemas from "@aws-sdk/client-iam";
import * as lambdaSchemas from "@aws-sdk/client-lambda-microvms";
import * as s3Schemas from "@aws-sdk/client-s3";
import * as stsSchemas from "@aws-sdk/client-sts";
import { expect, onTestFinished, test, vi } from "vitest";
import * as coreSchemas from "../../src/aws/lambda-core/schemas.ts";
import { readServiceModel } from "../../src/aws/protocol/service-model.ts";
import type { ServiceDefinition, WireProtocol } from "../../src/aws/service.ts";
import { openClients } from "../support/api-clients.ts";
import { useDirectory } from "../support/api-endpoint.ts";
import { openControlPlane, type ControlPlane } from "../support/control-plane.ts";
import { abandon, sendBytes, toBytes, type RawAnswer } from "../support/raw-http.ts";
import { hostileRequest } from "./hostile-request.ts";
import { Random } from "../support/random.ts";
import { rawGarbage } from "./raw-garbage.ts";
import { leakedSecrets, StateWatch, strayFiles } from "./state-watch.ts";
import { ACCOUNT, clearWorld, makeWorld, settle, type World } from "./world.ts";

/** Another one each day; `FUZZ_SEED` runs a day again. */
const SEED = Number(process.env["FUZZ_SEED"] ?? Math.floor(Date.now() / 86_400_000));
const REQUESTS = 10_000;
const GARBAGE = 500;
const VANISHING = 1000;
/** Requests before what there is made anew: those that succeed delete it or pile up. */
const ROUND = 400;
const SECRET = "PlantedSecret";
const USERS = [
  { accessKeyId: "AKIAFUZZFUZZFUZZALL1", secretAccessKey: `${SECRET}-of-a-user-who-may-all` },
  { accessKeyId: "AKIAFUZZFUZZFUZZSOME", secretAccessKey: `${SECRET}-of-a-user-who-may-some` },
] as const;

function service(signingName: string, protocol: WireProtocol, schemas: object): ServiceDefinition {
  return { signingName, protocol, schemas: { ...schemas }, operations: {} };
}

/** Services by how often they are asked. */
const SERVICES = [
  ...Array.from({ length: 4 }, () => service("lambda", "restJson1", lambdaSchemas)),
  service("lambda", "restJson1", coreSchemas),
  ...Array.from({ length: 3 }, () => service("s3", "restXml", s3Schemas)),
  service("iam", "awsQuery", iamSchemas),
  service("sts", "awsQuery", stsSchemas),
  { ...service("logs", "awsJson1_1", logsSchemas), targetPrefix: "Logs_20140328" },
].map((definition) => ({ definition, operations: [...readServiceModel(definition.schemas).operations.values()] }));

/** Models are wider than what there is here: most requests name an operation that exists. */
const IMPLEMENTED =
  /Microvm|NetworkConnector|^(Tag|Untag)|^ListTags|^(Get|Put|List|Delete|Create|Update).*Role|^(Get|Put|Head|Copy|Delete|List)Objects?(V2)?$|^(Create|Head|Delete|List)Buckets?$|Multipart|Part$|Parts$|^(AssumeRole|GetCallerIdentity)$|Log(Group|Stream|Event)s?$|RetentionPolicy$/;

async function usePlane(): Promise<ControlPlane> {
  const directory = await useDirectory();
  const users = USERS.map((key, index) => ({
    name: `user${index}`,
    keys: [key],
    policies: {
      P: {
        Version: "2012-10-17",
        Statement: [{ Effect: "Allow", Action: ["*", ["lambda:Get*"]][index] ?? [], Resource: "*" }],
      },
    },
  }));
  const accounts = join(directory, "accounts.json");
  await writeFile(accounts, JSON.stringify({ accounts: [{ accountId: ACCOUNT, users }] }), { mode: 0o600 });
  const plane = await openControlPlane({ home: join(directory, "home"), environment: { CATNAP_ACCOUNTS: accounts } });
  onTestFinished(() => plane.stop());
  return plane;
}

/** Secrets that an answer handed out. */
function secretsOf(text: string): string[] {
  const found = text.matchAll(/"X-aws-proxy-auth":"([^"]+)"|<(?:SecretAccessKey|SessionToken)>([^<]+)</g);
  return [...found].map(([, token, key]) => token ?? key ?? "");
}

test(
  "no request, however broken, makes the API fail, leave something behind or tell a secret",
  { timeout: 600_000 },
  async () => {
    const random = new Random(SEED);
    const plane = await usePlane();
    const clients = openClients(plane);
    onTestFinished(() => clients.destroy());
    const watch = new StateWatch(plane);
    const secrets = new Set([SECRET, plane.key.secretAccessKey]);
    const statuses = new Map<number | undefined, number>();
    let world: World | undefined;
    for (let count = 0; count < REQUESTS; count++) {
      if (world === undefined || count % ROUND === 0) {
        await clearWorld(plane, clients);
        expect(await strayFiles(plane), `seed ${SEED}, before request ${count}`).toEqual([]);
        world = await makeWorld(plane, clients);
        secrets.add(world.session.secretAccessKey).add(world.session.sessionToken ?? "");
        await watch.accept();
      }
      const { definition, operations } = random.pick(SERVICES);
      const wanted = random.chance(0.9) ? operations.filter(({ name }) => IMPLEMENTED.test(name)) : operations;
      const operation = random.pick(wanted);
      const keys = [plane.key, plane.key, plane.key, ...USERS, world.session];
      const request = hostileRequest({ random, definition, operation, keys, known: world.known, secret: SECRET });
      const bytes = toBytes(request.draft);
      const what = () =>
        `seed ${SEED}, request ${count}: ${operation.name}\n${bytes.subarray(0, 3000).toString("latin1")}`;
      const isCutShort = request.isFramingBroken;
      const answer: RawAnswer = await sendBytes(plane.port, [bytes], { isCutShort }).catch((cause: unknown) => {
        throw new Error(what(), { cause });
      });
      const { status = 0 } = answer;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      expect(status < 500 || status === 501, `${what()}\n${answer.text}`).toBe(true);
      expect(status > 0 || request.isFramingBroken, `no answer: ${what()}`).toBe(true);
      for (const secret of secretsOf(answer.text)) secrets.add(secret);
      if (status >= 200 && status < 400) {
        await watch.accept(() => settle(plane));
      } else expect(await watch.differences(), `${status} left something behind: ${what()}`).toEqual([]);
    }
    console.log(`seed ${SEED}: ${JSON.stringify(Object.fromEntries(statuses))}, ${secrets.size} secrets handed out`);
    expect(statuses.get(200), "requests that pass are what the others are measured against").toBeGreaterThan(
      REQUESTS / 20,
    );
    await clearWorld(plane, clients);
    expect(await strayFiles(plane)).toEqual([]);
    expect(await leakedSecrets(plane, secrets), `seed ${SEED}`).toEqual([]);
  },
);

test("clients that vanish at any moment leave the API up and nothing half-made", { timeout: 300_000 }, async () => {
  const random = new Random(SEED);
  const plane = await usePlane();
  const clients = openClients(plane);
  onTestFinished(() => clients.destroy());
  const { known } = await makeWorld(plane, clients);
  for (let count = 0; count < VANISHING; count++) {
    const { definition, operations } = random.pick(SERVICES);
    const operation = random.pick(operations.filter(({ name }) => IMPLEMENTED.test(name)));
    const keys = [plane.key];
    const { draft } = hostileRequest({ random, definition, operation, keys, known, secret: SECRET });
    const bytes = toBytes(draft);
    await abandon(plane.port, bytes.subarray(0, random.integer(1, bytes.length)), random.integer(0, 6));
  }
  // what they asked for may still be under way
  await vi.waitFor(() => clearWorld(plane, clients), { timeout: 20_000 });
  await vi.waitFor(async () => expect(await strayFiles(plane)).toEqual([]), { timeout: 20_000 });
  expect((await fetch(`${plane.url}/health`)).status).toBe(200);
});

test("bytes that are no HTTP leave the API up and its state untouched", { timeout: 300_000 }, async () => {
  const random = new Random(SEED);
  const plane = await usePlane();
  const watch = new StateWatch(plane);
  await watch.accept();
  for (let count = 0; count < GARBAGE; count++) {
    const bytes = rawGarbage(random);
    const what = `seed ${SEED}, piece ${count}: ${JSON.stringify(Buffer.concat(bytes).toString("latin1").slice(0, 400))}`;
    const { status = 0, text } = await sendBytes(plane.port, bytes, { isCutShort: true });
    expect(status < 500 || status === 501 || status === 505, `${what}\n${text}`).toBe(true);
  }
  expect(await watch.differences()).toEqual([]);
  const health = await fetch(`${plane.url}/health`);
  expect(health.status).toBe(200);
});
