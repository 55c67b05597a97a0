import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import type { SourceData } from "@smithy/types";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { authenticate } from "./authenticate.ts";
import type { CredentialStore } from "./credentials.ts";
import type { SignedRequest } from "./sigv4-request.ts";
import { equalSecrets } from "./sigv4.ts";

const KEY = { accessKeyId: "AKIATESTTESTTESTTEST", secretAccessKey: "secret/+=" };
const NOW = new Date("2026-11-20T12:00:00Z");
const principal = {
  arn: "arn:aws:iam::123456789012:root",
  accountId: "123456789012",
  accessKeyId: KEY.accessKeyId,
  isAdministrator: true,
};

function store(sessionToken?: string): CredentialStore {
  return {
    lookup: async (id) =>
      id === KEY.accessKeyId ? { secretAccessKey: KEY.secretAccessKey, sessionToken, principal } : undefined,
  };
}

class Sha256 {
  readonly #hash;
  constructor(secret?: SourceData) {
    this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", toBytes(secret));
  }
  update(data: SourceData): void {
    this.#hash.update(toBytes(data));
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

function toBytes(data: SourceData): Buffer {
  if (typeof data === "string") return Buffer.from(data);
  return ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data);
}

interface Unsigned {
  readonly method: string;
  /** Segments, decoded. */
  readonly path: readonly string[];
  readonly query: Record<string, string[]>;
  readonly headers: Record<string, string>;
  readonly body: string;
}

const encode = (text: string) =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

interface SignOptions {
  readonly service?: string;
  readonly signedAt?: Date;
  readonly presignSeconds?: number;
  readonly sessionToken?: string;
}

/** Signs as the SDK does and gives back what a server sees. */
async function sign(
  unsigned: Unsigned,
  { service = "lambda", signedAt = NOW, presignSeconds, sessionToken }: SignOptions = {},
): Promise<SignedRequest> {
  const signer = new SignatureV4({
    service,
    region: "eu-west-1",
    credentials: { ...KEY, sessionToken },
    sha256: Sha256,
    uriEscapePath: service !== "s3",
  });
  const request = {
    method: unsigned.method,
    protocol: "http:",
    hostname: "localhost",
    path: `/${unsigned.path.map(encode).join("/")}`,
    query: unsigned.query,
    headers: { host: "localhost:4510", ...unsigned.headers },
    body: unsigned.body,
  };
  const options = { signingDate: signedAt };
  const signed =
    presignSeconds === undefined
      ? await signer.sign(request, options)
      : await signer.presign(request, { ...options, expiresIn: presignSeconds });
  return {
    method: signed.method,
    path: signed.path,
    query: Object.entries(signed.query ?? {}).flatMap(([name, value]) =>
      [value ?? ""].flat().map((each): [string, string] => [name, each]),
    ),
    headers: Object.fromEntries(Object.entries(signed.headers).map(([name, value]) => [name.toLowerCase(), value])),
  };
}

function check(request: SignedRequest, body: string, credentials = store()): ReturnType<typeof authenticate> {
  return authenticate({ request, credentials, readBody: async () => Buffer.from(body), now: NOW });
}

const text = fc.string({ unit: "grapheme", maxLength: 12 });
const segment = text.filter((each) => each !== "." && each !== "..");
const headerValue = fc.string({ unit: fc.constantFrom("a", "Z", "0", " ", "  ", "\t", ",", "=", '"'), maxLength: 20 });
const unsignedRequest: fc.Arbitrary<Unsigned> = fc.record({
  method: fc.constantFrom("GET", "PUT", "POST", "DELETE"),
  path: fc.array(segment, { maxLength: 4 }),
  query: fc.dictionary(
    text.filter((name) => name !== "" && !/^x-amz/i.test(name) && name !== "__proto__"),
    fc.array(text, { minLength: 1, maxLength: 3 }),
    { maxKeys: 4 },
  ),
  headers: fc.dictionary(fc.constantFrom("x-amz-meta-a", "x-custom", "content-type"), headerValue, { maxKeys: 3 }),
  body: text,
});

test.each(["lambda", "iam", "s3"])("whatever the SDK signs for %s is accepted", async (service) => {
  await fc.assert(
    fc.asyncProperty(unsignedRequest, async (unsigned) => {
      const answer = await check(await sign(unsigned, { service }), unsigned.body);
      expect(answer).toMatchObject({ principal, region: "eu-west-1", signingName: service });
    }),
    { numRuns: 150 },
  );
});

test.each(["lambda", "s3"])("whatever the SDK presigns for %s is accepted until it expires", async (service) => {
  await fc.assert(
    fc.asyncProperty(unsignedRequest, async (unsigned) => {
      const body = service === "s3" ? "not covered" : unsigned.body;
      const headers =
        service === "s3" ? { ...unsigned.headers, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" } : unsigned.headers;
      const request = await sign({ ...unsigned, headers }, { service, presignSeconds: 60 });
      expect(await check(request, body)).toMatchObject({ principal });
      const late = await authenticate({
        request,
        credentials: store(),
        readBody: async () => Buffer.from(body),
        now: new Date(NOW.getTime() + 61_000),
      });
      expect(late).toMatchObject({ refused: "expired" });
    }),
    { numRuns: 75 },
  );
});

const plain: Unsigned = {
  method: "POST",
  path: ["2025-09-09", "microvms"],
  query: { a: ["1"] },
  headers: { "x-amz-meta-a": "v" },
  body: "{}",
};

test("changing anything that is signed breaks the signature", async () => {
  const signed = await sign(plain);
  const changes: SignedRequest[] = [
    { ...signed, method: "PUT" },
    { ...signed, path: `${signed.path}/x` },
    { ...signed, query: [...signed.query, ["b", ""]] },
    { ...signed, headers: { ...signed.headers, host: "elsewhere" } },
    { ...signed, headers: { ...signed.headers, "x-amz-meta-a": "w" } },
  ];
  for (const changed of changes)
    expect(await check(changed, "{}")).toMatchObject({ refused: "mismatch", signingName: "lambda" });
  expect(await check(signed, "{ }")).toMatchObject({ refused: "mismatch" });
  expect(await check(signed, "{}")).toMatchObject({ principal });
});

test("S3 refuses instructions that the signature does not cover", async () => {
  const signed = await sign(plain, { service: "s3" });
  expect(await check({ ...signed, headers: { ...signed.headers, "x-amz-acl": "public-read" } }, "")).toMatchObject({
    refused: "mismatch",
  });
});

test("clocks may differ by fifteen minutes, either way", async () => {
  const minutes = (n: number) => sign(plain, { signedAt: new Date(NOW.getTime() + n * 60_000) });
  for (const n of [-15, 15]) expect(await check(await minutes(n), "{}")).toMatchObject({ principal });
  for (const n of [-16, 16]) expect(await check(await minutes(n), "{}")).toMatchObject({ refused: "skewed" });
});

test("temporary credentials need their own session token", async () => {
  const request = await sign(plain, { sessionToken: "token" });
  expect(await check(request, "{}", store("token"))).toMatchObject({ principal });
  expect(await check(request, "{}", store("other"))).toMatchObject({ refused: "invalid-token" });
  expect(await check(await sign(plain), "{}", store("token"))).toMatchObject({ refused: "invalid-token" });
  expect(await check(request, "{}", store())).toMatchObject({ refused: "invalid-token" });
});

test("expired credentials are told to who holds their secret, and to nobody else", async () => {
  const expired: CredentialStore = {
    lookup: async (id) => {
      const credential = await store("token").lookup(id);
      return credential && { ...credential, expiresAt: NOW };
    },
  };
  const request = await sign(plain, { sessionToken: "token" });
  expect(await check(request, "{}", expired)).toMatchObject({ refused: "expired-token" });
  expect(await check(request, "{ }", expired)).toMatchObject({ refused: "mismatch" });
  expect(await check(await sign(plain, { sessionToken: "guess" }), "{}", expired)).toMatchObject({
    refused: "invalid-token",
  });
});

test("secrets are equal when all their characters are, whatever their lengths", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      expect(equalSecrets(a, b)).toBe(a === b);
      expect(equalSecrets(a, a)).toBe(true);
      expect(equalSecrets(`${a}x`, a)).toBe(false);
    }),
  );
});

test("a refusal names the key that the request claims, for the record", async () => {
  const signed = await sign(plain);
  expect(await check({ ...signed, method: "PUT" }, "{}")).toMatchObject({
    accessKeyId: KEY.accessKeyId,
    signingName: "lambda",
  });
});

test.each([
  ["nothing", undefined, "missing"],
  ["another scheme", "Basic abc", "unsupported"],
  ["version 2", "AWS AKIA:sig", "unsupported"],
  ["no credential", "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=0", "malformed"],
  [
    "a scope without service",
    "AWS4-HMAC-SHA256 Credential=AKIA/20261120/eu-west-1/aws4_request, SignedHeaders=host, Signature=0",
    "malformed",
  ],
  [
    "an unsigned host",
    "AWS4-HMAC-SHA256 Credential=AKIA/20261120/eu-west-1/s3/aws4_request, SignedHeaders=date, Signature=0",
    "malformed",
  ],
  [
    "another day's scope",
    "AWS4-HMAC-SHA256 Credential=AKIA/20261119/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0",
    "malformed",
  ],
  [
    "a stranger's key",
    "AWS4-HMAC-SHA256 Credential=AKIA/20261120/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0",
    "unknown-key",
  ],
])("an Authorization header with %s is refused", async (_name, authorization, refused) => {
  const headers = { host: "h", "x-amz-date": "20261120T120000Z", ...(authorization && { authorization }) };
  expect(await check({ method: "GET", path: "/", query: [], headers }, "")).toMatchObject({ refused });
});

test("no header makes the reader throw", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary" }), fc.string(), fc.string(), async (authorization, date, path) => {
      const request = {
        method: "GET",
        path: `/${path}`,
        query: [],
        headers: { authorization: `AWS4-HMAC-SHA256 ${authorization}`, "x-amz-date": date },
      };
      expect(await check(request, "")).toHaveProperty("refused");
    }),
  );
});
