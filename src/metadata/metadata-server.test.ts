import { once } from "node:events";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import type { RoleSession } from "../auth/role-sessions.ts";
import type { Guest } from "./guest-directory.ts";
import { createMetadataServer } from "./metadata-server.ts";
import { metadataTokens } from "./metadata-token.ts";
import type { RoleCredentials } from "./role-credentials.ts";

const GUEST: Guest = {
  microvmId: "microvm-1",
  accountId: "123456789012",
  region: "eu-west-1",
  imageArn: "arn:aws:lambda:eu-west-1:123456789012:microvm-image:app",
  executionRoleArn: "arn:aws:iam::123456789012:role/Exec",
};
const SESSION: RoleSession = {
  accessKeyId: "ASIATESTTESTTESTTEST",
  secretAccessKey: "secret",
  sessionToken: "token",
  arn: "arn:aws:sts::123456789012:assumed-role/Exec/microvm-1",
  userId: "AROAX:microvm-1",
  issuedAt: new Date("2026-11-20T12:00:00.500Z"),
  expiresAt: new Date("2026-11-20T12:55:01.000Z"),
};
const KEY = Buffer.alloc(32, 7);

interface Asked {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

async function useMetadata(
  guest: Guest | undefined = GUEST,
  credentials: RoleCredentials = SESSION,
  onKeepAlive?: (guest: Guest) => void,
) {
  let caller: Guest | undefined = guest;
  let clockMs = Date.parse("2026-11-20T12:00:00Z");
  const errors: object[] = [];
  const server = createMetadataServer({
    identify: async () => caller,
    tokens: metadataTokens(KEY, () => clockMs),
    credentials: async () => credentials,
    onKeepAlive,
    log: { error: (values) => void errors.push(values) },
    now: () => new Date(clockMs),
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const ask = async (path: string, method = "GET", headers: Record<string, string> = {}): Promise<Asked> => {
    const sent = request({ port, path, method, headers, agent: false });
    sent.end();
    const [answer] = (await once(sent, "response")) as [
      NodeJS.ReadableStream & { statusCode: number; headers: object },
    ];
    let body = "";
    for await (const chunk of answer) body += String(chunk);
    return { status: answer.statusCode, headers: answer.headers as Asked["headers"], body };
  };
  const token = async (seconds = "60") =>
    (await ask("/latest/api/token", "PUT", { "x-aws-ec2-metadata-token-ttl-seconds": seconds })).body;
  const get = async (path: string) => ask(path, "GET", { "x-aws-ec2-metadata-token": await token() });
  return {
    ask,
    get,
    token,
    errors,
    advance: (ms: number) => (clockMs += ms),
    become: (next: Guest | undefined) => (caller = next),
  };
}

test("a guest that holds a token says that it is busy, where that counts", async () => {
  const kept: string[] = [];
  const { ask, token } = await useMetadata(GUEST, SESSION, ({ microvmId }) => kept.push(microvmId));
  const path = "/latest/keep-alive";
  const bearer = { "x-aws-ec2-metadata-token": await token() };
  expect((await ask(path, "PUT")).status).toBe(401);
  expect(await ask(path, "GET", bearer)).toMatchObject({ status: 405, headers: { allow: "PUT" } });
  expect(kept).toEqual([]);
  expect((await ask(path, "PUT", bearer)).status).toBe(200);
  expect(kept).toEqual(["microvm-1"]);
  const without = await useMetadata();
  const own = { "x-aws-ec2-metadata-token": await without.token() };
  expect((await without.ask(path, "PUT", own)).status).toBe(405);
  expect((await without.ask(path, "GET", own)).status).toBe(404);
});

const CREDENTIALS = "/latest/meta-data/iam/security-credentials";

test("a token opens the credentials, as every SDK asks for them", async () => {
  const { ask, get } = await useMetadata();
  const given = await ask("/latest/api/token", "PUT", { "x-aws-ec2-metadata-token-ttl-seconds": "21600" });
  expect(given.status).toBe(200);
  expect(given.headers["x-aws-ec2-metadata-token-ttl-seconds"]).toBe("21600");
  expect(given.body).toMatch(/^[\w-]{56}$/);
  for (const path of [CREDENTIALS, `${CREDENTIALS}/`]) expect((await get(path)).body).toBe("execution_role");
  const document = await get(`${CREDENTIALS}/execution_role`);
  expect(document.headers["content-type"]).toBe("text/plain");
  expect(JSON.parse(document.body)).toEqual({
    Code: "Success",
    LastUpdated: "2026-11-20T12:00:00Z",
    Type: "AWS-HMAC",
    AccessKeyId: SESSION.accessKeyId,
    SecretAccessKey: SESSION.secretAccessKey,
    Token: SESSION.sessionToken,
    Expiration: "2026-11-20T12:55:01Z",
  });
});

test.each([
  ["/latest/meta-data/instance-id", "microvm-1"],
  ["/latest/meta-data/placement/region", "eu-west-1"],
  ["/latest/meta-data/placement/availability-zone/", "eu-west-1a"],
  ["/2021-07-15/meta-data/services/partition", "aws"],
  ["/latest/meta-data/", "iam/\ninstance-id\nplacement/\nservices/"],
  ["/latest/", "dynamic\nmeta-data"],
])("%s answers %j", async (path, body) => {
  const { get } = await useMetadata();
  expect(await get(path)).toMatchObject({ status: 200, body });
});

test("the identity document names Region and account", async () => {
  const { get } = await useMetadata();
  const { body } = await get("/latest/dynamic/instance-identity/document");
  expect(JSON.parse(body)).toMatchObject({ region: "eu-west-1", accountId: GUEST.accountId, instanceId: "microvm-1" });
});

test("what is not there is 404, also the credentials of an app without a role", async () => {
  const { get, become } = await useMetadata();
  for (const path of ["/latest/user-data", "/latest/meta-data/nothing", `${CREDENTIALS}/Exec`, "/", "/other/meta-data"])
    expect((await get(path)).status).toBe(404);
  become({ ...GUEST, executionRoleArn: undefined });
  for (const path of [`${CREDENTIALS}/`, `${CREDENTIALS}/execution_role`, "/latest/meta-data/iam/"])
    expect((await get(path)).status).toBe(404);
  expect((await get("/latest/meta-data/")).body).toBe("instance-id\nplacement/\nservices/");
});

test("nothing is answered without a token, with a foreign one or with one past its time", async () => {
  const { ask, token, advance, become } = await useMetadata();
  const withToken = (value: string) => ask(`${CREDENTIALS}/`, "GET", { "x-aws-ec2-metadata-token": value });
  expect((await ask(`${CREDENTIALS}/`)).status).toBe(401);
  const mine = await token("60");
  expect((await withToken(mine)).status).toBe(200);
  for (const forged of ["", "x", mine.slice(1), `${mine}A`, `${mine.slice(0, -1)}${mine.endsWith("A") ? "B" : "A"}`])
    expect((await withToken(forged)).status).toBe(401);
  become({ ...GUEST, microvmId: "microvm-2" });
  expect((await withToken(mine)).status).toBe(401);
  become(GUEST);
  advance(61_000);
  expect((await withToken(mine)).status).toBe(401);
});

test.each([undefined, "", "0", "-1", "21601", "1e3", "60, 60", "99999999"])(
  "a token for %j seconds is refused",
  async (seconds) => {
    const { ask } = await useMetadata();
    const headers: Record<string, string> =
      seconds === undefined ? {} : { "x-aws-ec2-metadata-token-ttl-seconds": seconds };
    expect((await ask("/latest/api/token", "PUT", headers)).status).toBe(400);
  },
);

test("strangers, proxies and other methods get nothing", async () => {
  const { ask, token, become } = await useMetadata();
  const ttl = { "x-aws-ec2-metadata-token-ttl-seconds": "60" };
  expect((await ask("/latest/api/token", "PUT", { ...ttl, "x-forwarded-for": "10.0.0.1" })).status).toBe(403);
  expect((await ask("/latest/api/token", "GET", ttl)).status).toBe(405);
  const headers = { "x-aws-ec2-metadata-token": await token() };
  expect((await ask("/latest/meta-data/", "POST", headers)).status).toBe(405);
  expect(await ask("/latest/meta-data/instance-id", "HEAD", headers)).toMatchObject({ status: 200, body: "" });
  become(undefined);
  expect((await ask("/latest/api/token", "PUT", ttl)).status).toBe(404);
  expect((await ask("/latest/meta-data/", "GET", headers)).status).toBe(404);
});

test("a role that cannot be assumed is told in the document", async () => {
  const { get } = await useMetadata(GUEST, { refused: "The role is gone." });
  const { status, body } = await get(`${CREDENTIALS}/execution_role`);
  expect(status).toBe(200);
  expect(JSON.parse(body)).toMatchObject({ Code: "AssumeRoleUnauthorizedAccess", Message: "The role is gone." });
});

test("no path and no token makes it fail", async () => {
  const { ask, errors } = await useMetadata();
  const path = fc.string({
    unit: fc.constantFrom("/", "..", "%2e", "latest", "meta-data", "iam", "__proto__", "?", "é%"),
  });
  await fc.assert(
    fc.asyncProperty(path, fc.string(), async (text, given) => {
      const headers = { "x-aws-ec2-metadata-token": encodeURIComponent(given) };
      const { status } = await ask(encodeURI(`/latest/${text}`), "GET", headers);
      expect([401, 404]).toContain(status);
    }),
    { numRuns: 60 },
  );
  expect(errors).toEqual([]);
});
