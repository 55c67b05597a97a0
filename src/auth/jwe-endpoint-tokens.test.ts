import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { CompactEncrypt } from "jose";
import { expect, onTestFinished, test } from "vitest";
import { jweEndpointTokens, MAX_TOKEN_CHARACTERS, openJweEndpointTokens } from "./jwe-endpoint-tokens.ts";
import type { PortScope, TokenClaims } from "./endpoint-token.ts";

const KEY = { kid: randomUUID(), secret: randomBytes(32) };
const CLAIMS: TokenClaims = {
  microvmId: `microvm-${randomUUID()}`,
  kind: "http",
  ports: [{ port: 8080 }],
  expiresAt: new Date("2026-11-20T12:00:00.123Z"),
};

async function useKeyFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "catnap-tokens-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return join(directory, "tls", "endpoint-keys.json");
}

/** A token of the given header and key around otherwise good claims. */
async function forge(header: Record<string, unknown>, secret: Uint8Array): Promise<string> {
  const text = JSON.stringify({ m: CLAIMS.microvmId, k: "http", p: "*", e: Date.now() + 60_000 });
  return await new CompactEncrypt(Buffer.from(text)).setProtectedHeader(header as never).encrypt(secret);
}

const portScope: fc.Arbitrary<PortScope> = fc.oneof(
  fc.record({ port: fc.integer({ min: 1, max: 65535 }) }),
  fc.record({
    range: fc.record({ startPort: fc.integer({ min: 1, max: 65535 }), endPort: fc.integer({ min: 1, max: 65535 }) }),
  }),
  fc.constant({ allPorts: {} }),
);

test("what is minted opens to the same claims", async () => {
  const tokens = jweEndpointTokens([KEY]);
  const claims = fc.record({
    microvmId: fc.uuid().map((id) => `microvm-${id}`),
    kind: fc.constantFrom("http" as const, "shell" as const),
    ports: fc.array(portScope, { maxLength: 40 }),
    expiresAt: fc.date({ min: new Date(0), max: new Date("2100-01-01"), noInvalidDate: true }),
  });
  await fc.assert(
    fc.asyncProperty(claims, async (given) => {
      expect(await tokens.open(await tokens.mint(given))).toEqual(given);
    }),
  );
});

test("a token is a compact JWE with the service's header, empty key and size", async () => {
  const tokens = jweEndpointTokens([KEY]);
  const token = await tokens.mint(CLAIMS);
  const [header = "", key, ...rest] = token.split(".");
  expect(Buffer.from(header, "base64url").toString()).toBe(`{"kid":"${KEY.kid}","alg":"dir","enc":"A256GCM"}`);
  expect(key).toBe("");
  expect(rest).toHaveLength(3);
  expect(token.length).toBe(823);
  expect((await tokens.mint({ ...CLAIMS, ports: [{ allPorts: {} }] })).length).toBe(767);
});

test("an expired token still opens: the proxy decides on expiry", async () => {
  const tokens = jweEndpointTokens([KEY]);
  expect(await tokens.open(await tokens.mint({ ...CLAIMS, expiresAt: new Date(0) }))).toMatchObject({
    expiresAt: new Date(0),
  });
});

test("an older key opens, the newest mints", async () => {
  const newest = { kid: randomUUID(), secret: randomBytes(32) };
  const old = await jweEndpointTokens([KEY]).mint(CLAIMS);
  const tokens = jweEndpointTokens([newest, KEY]);
  expect(await tokens.open(old)).toEqual(CLAIMS);
  expect(await jweEndpointTokens([newest]).open(await tokens.mint(CLAIMS))).toEqual(CLAIMS);
  expect(await jweEndpointTokens([newest]).open(old)).toBeUndefined();
});

test("other algorithms, keys and headers open nothing", async () => {
  const tokens = jweEndpointTokens([KEY]);
  const good = { kid: KEY.kid, alg: "dir", enc: "A256GCM" };
  expect(await tokens.open(await forge(good, KEY.secret))).toBeDefined();
  const bad: [Record<string, unknown>, Uint8Array][] = [
    [good, randomBytes(32)],
    [{ ...good, kid: randomUUID() }, KEY.secret],
    [{ alg: "dir", enc: "A256GCM", kid: KEY.kid }, KEY.secret],
    [{ alg: "dir", enc: "A256GCM" }, KEY.secret],
    [{ ...good, typ: "JWT" }, KEY.secret],
    [{ ...good, alg: "A256GCMKW" }, KEY.secret],
    [{ ...good, alg: "A256KW" }, KEY.secret],
    [{ ...good, enc: "A128CBC-HS256" }, KEY.secret],
  ];
  for (const [header, secret] of bad) expect(await tokens.open(await forge(header, secret))).toBeUndefined();
});

test("a compressed token opens nothing", async () => {
  const tokens = jweEndpointTokens([KEY]);
  const [, ...rest] = (await tokens.mint(CLAIMS)).split(".");
  const header = Buffer.from(JSON.stringify({ kid: KEY.kid, alg: "dir", enc: "A256GCM", zip: "DEF" })).toString(
    "base64url",
  );
  expect(await tokens.open([header, ...rest].join("."))).toBeUndefined();
});

test("any changed character closes a token", async () => {
  const tokens = jweEndpointTokens([KEY]);
  const token = await tokens.mint(CLAIMS);
  // The last character of each part may carry unused bits, which change nothing.
  const isLastOfPart = (i: number): boolean => i + 1 === token.length || token[i + 1] === ".";
  await fc.assert(
    fc.asyncProperty(
      fc.nat(token.length - 1),
      fc.constantFrom("A", "b", "9", "_", ".", "é", " "),
      async (at, character) => {
        fc.pre(token[at] !== character && !isLastOfPart(at));
        expect(await tokens.open(token.slice(0, at) + character + token.slice(at + 1))).toBeUndefined();
      },
    ),
  );
});

test("garbage opens nothing and throws nothing", async () => {
  const tokens = jweEndpointTokens([KEY]);
  const header = (await tokens.mint(CLAIMS)).split(".")[0] ?? "";
  const garbage = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fc.string(), { maxLength: 7 }).map((parts) => parts.join(".")),
    fc.array(fc.base64String(), { maxLength: 6 }).map((parts) => [header, ...parts].join(".")),
    fc.uint8Array({ maxLength: 100 }).map((bytes) => `${header}..${Buffer.from(bytes).toString("base64url")}`),
  );
  await fc.assert(
    fc.asyncProperty(garbage, async (text) => {
      expect(await tokens.open(text)).toBeUndefined();
    }),
  );
  expect(await tokens.open(`${header}..${"A".repeat(1_000_000)}`)).toBeUndefined();
});

test("genuine tokens with claims of another form open nothing", async () => {
  const tokens = jweEndpointTokens([KEY]);
  for (const text of [
    "",
    "null",
    "[]",
    "{}",
    '{"m":"a","k":"root","p":"*","e":1}',
    '{"m":"a","k":"http","p":"1-","e":1}',
    '{"m":"a","k":"http","p":"*","e":9e99}',
  ]) {
    const encryption = new CompactEncrypt(Buffer.from(text)).setProtectedHeader({
      kid: KEY.kid,
      alg: "dir",
      enc: "A256GCM",
    });
    expect(await tokens.open(await encryption.encrypt(KEY.secret))).toBeUndefined();
  }
});

test("a scope too long for a token is refused at minting", async () => {
  const ports = Array.from({ length: 2000 }, (_, i) => ({ port: 10_000 + i }));
  await expect(jweEndpointTokens([KEY]).mint({ ...CLAIMS, ports })).rejects.toMatchObject({
    shape: "ValidationException",
  });
  const some = ports.slice(0, 900);
  expect((await jweEndpointTokens([KEY]).mint({ ...CLAIMS, ports: some })).length).toBeLessThanOrEqual(
    MAX_TOKEN_CHARACTERS,
  );
});

test("keys are made once, private to their owner", async () => {
  const path = await useKeyFile();
  const token = await (await openJweEndpointTokens(path)).mint(CLAIMS);
  expect(await (await openJweEndpointTokens(path)).open(token)).toEqual(CLAIMS);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test.each(["", "{}", '{"keys":[]}', '{"keys":[{"kid":"x","key":"y","createdAt":"z"}]}'])(
  "a key file of %j is an error that says what to do",
  async (text) => {
    const path = await useKeyFile();
    await openJweEndpointTokens(path);
    await writeFile(path, text);
    await expect(openJweEndpointTokens(path)).rejects.toThrow(/Restore it, or remove it/);
    expect(await readFile(path, "utf8")).toBe(text);
  },
);
