import { createHash } from "node:crypto";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { Sha256 } from "@aws-sdk/checksums/sha";
import { SignatureV4 } from "@smithy/signature-v4";
import { expect, onTestFinished, test, vi } from "vitest";
import { TEST_KEY } from "../../../test/support/api-endpoint.ts";
import { useS3, type S3Endpoint } from "../../../test/support/s3-endpoint.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const EMPTY = sha256("");
const PATIENCE = { timeout: 20_000, interval: 20 };

interface Raw {
  readonly method: string;
  readonly path: string;
  readonly query?: Record<string, string>;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly contentSha256?: string;
}

/** Signs by hand what no SDK would send. */
async function signed({ port }: S3Endpoint, raw: Raw): Promise<Record<string, string>> {
  const signer = new SignatureV4({
    service: "s3",
    region: "us-east-1",
    credentials: TEST_KEY,
    sha256: Sha256,
    uriEscapePath: false,
  });
  const { headers } = await signer.sign({
    method: raw.method,
    protocol: "http:",
    hostname: "127.0.0.1",
    path: raw.path,
    query: raw.query ?? {},
    headers: {
      host: `127.0.0.1:${port}`,
      "x-amz-content-sha256": raw.contentSha256 ?? sha256(raw.body ?? ""),
      ...raw.headers,
    },
  });
  return headers;
}

async function send(endpoint: S3Endpoint, raw: Raw): Promise<{ status: number; text: string; headers: Headers }> {
  const { host: _, ...headers } = await signed(endpoint, raw);
  const query = new URLSearchParams(raw.query).toString();
  const answer = await fetch(`${endpoint.url}${raw.path}${query && `?${query}`}`, {
    method: raw.method,
    headers,
    body: raw.body,
  });
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

async function useBucket(): Promise<S3Endpoint> {
  const endpoint = await useS3();
  await endpoint.client().send(new CreateBucketCommand({ Bucket: "a-bucket" }));
  return endpoint;
}

test("a body that is not the one that was signed leaves nothing", async () => {
  const endpoint = await useBucket();
  const answer = await send(endpoint, {
    method: "PUT",
    path: "/a-bucket/k",
    body: "other",
    contentSha256: sha256("hello"),
  });
  expect([answer.status, answer.text]).toEqual([
    400,
    expect.stringContaining("<Code>XAmzContentSHA256Mismatch</Code>"),
  ]);
  expect(await endpoint.files()).toEqual([]);
});

test("an upload cut off half-way leaves nothing, and the server goes on", async () => {
  const endpoint = await useBucket();
  const raw: Raw = {
    method: "PUT",
    path: "/a-bucket/k",
    contentSha256: "UNSIGNED-PAYLOAD",
    headers: { "content-length": "1000000" },
  };
  const headers = Object.entries(await signed(endpoint, raw)).map(([name, value]) => `${name}: ${value}\r\n`);
  const socket = connect(endpoint.port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.write(`PUT /a-bucket/k HTTP/1.1\r\n${headers.join("")}\r\n${"x".repeat(50_000)}`);
  await vi.waitFor(async () => expect(await endpoint.files()).toHaveLength(1), PATIENCE);
  socket.destroy();
  await vi.waitFor(async () => expect(await endpoint.files()).toEqual([]), PATIENCE);
  expect((await send(endpoint, { method: "GET", path: "/a-bucket/k" })).status).toBe(404);
});

test("100 Continue is sent before the body of an upload that asks for it", async () => {
  const endpoint = await useBucket();
  const headers = await signed(endpoint, { method: "PUT", path: "/a-bucket/k", body: "hello" });
  const order: string[] = [];
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const put = httpRequest(`${endpoint.url}/a-bucket/k`, {
      method: "PUT",
      headers: { ...headers, "content-length": "5", expect: "100-continue" },
    });
    put.on("continue", () => {
      order.push("continue");
      put.end("hello");
    });
    put.on("response", (response) => {
      order.push("response");
      response.resume();
      resolve(response.statusCode);
    });
    put.on("error", reject);
    put.flushHeaders();
  });
  expect([status, order]).toEqual([200, ["continue", "response"]]);
});

test.each([
  ["text", "hello"],
  ["an open element", "<Delete><Object>"],
  ["a wrong end", "<Delete></Other>"],
  ["elements where text belongs", "<Delete><Object><Key><x>1</x></Key></Object></Delete>"],
  ["no object", "<Delete></Delete>"],
  ["nesting without end", "<a>".repeat(100_000)],
  ["an entity bomb", `<!DOCTYPE x [<!ENTITY a "${"b".repeat(100)}">]><Delete><Object><Key>${"&a;".repeat(1000)}`],
])("XML that is %s is refused", async (_name, body) => {
  const endpoint = await useBucket();
  const answer = await send(endpoint, { method: "POST", path: "/a-bucket", query: { delete: "" }, body });
  expect([answer.status, answer.text]).toEqual([400, expect.stringMatching(/<Code>MalformedXML</)]);
});

test("part numbers that are no numbers are refused", async () => {
  const endpoint = await useBucket();
  const query = { partNumber: "one", uploadId: "u" };
  const answer = await send(endpoint, { method: "PUT", path: "/a-bucket/k", query, body: "x" });
  expect([answer.status, answer.text]).toEqual([400, expect.stringContaining("InvalidArgument")]);
  const zero = await send(endpoint, {
    method: "PUT",
    path: "/a-bucket/k",
    query: { ...query, partNumber: "0" },
    body: "x",
  });
  expect([zero.status, zero.text]).toEqual([400, expect.stringContaining("InvalidArgument")]);
});

test("a path that is not correctly encoded is refused", async () => {
  const endpoint = await useBucket();
  const answer = await fetch(`${endpoint.url}/a-bucket/%zz`);
  expect(answer.status).toBe(403);
  const query = await fetch(`${endpoint.url}/a-bucket?prefix=%zz`);
  expect([query.status, await query.text()]).toEqual([400, expect.stringContaining("InvalidURI")]);
});

test("keys cannot leave the objects directory", async () => {
  const endpoint = await useBucket();
  const s3 = endpoint.client();
  for (const Key of ["../../etc/passwd", "..", "/abs", "a/../../b"]) {
    await s3.send(new PutObjectCommand({ Bucket: "a-bucket", Key, Body: Key }));
    expect(await (await s3.send(new GetObjectCommand({ Bucket: "a-bucket", Key }))).Body?.transformToString()).toBe(
      Key,
    );
  }
  for (const name of await endpoint.files()) expect(name).toMatch(/^[0-9a-f-]{36}$/);
});

test("several algorithms, or one nobody knows, are refused", async () => {
  const endpoint = await useBucket();
  const put = (headers: Record<string, string>) =>
    send(endpoint, { method: "PUT", path: "/a-bucket/k", body: "x", headers });
  expect((await put({ "x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha1": "x" })).text).toContain(
    "InvalidRequest",
  );
  expect((await put({ "x-amz-sdk-checksum-algorithm": "FANCY" })).text).toContain("NotImplemented");
  expect(await endpoint.files()).toEqual([]);
});

test("an answer has its request id, also when it is an error", async () => {
  const endpoint = await useBucket();
  const answer = await send(endpoint, { method: "GET", path: "/a-bucket/none" });
  const id = answer.headers.get("x-amz-request-id");
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(answer.text).toContain(`<RequestId>${id}</RequestId>`);
  const head = await send(endpoint, { method: "HEAD", path: "/a-bucket/none" });
  expect([head.status, head.text]).toEqual([404, ""]);
});

test("an object whose reader goes away does not hurt the next one", async () => {
  const endpoint = await useBucket();
  const s3 = endpoint.client();
  await s3.send(new PutObjectCommand({ Bucket: "a-bucket", Key: "k", Body: Buffer.alloc(8 * 1024 ** 2) }));
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: "a-bucket", Key: "k" }));
  (Body as unknown as { destroy(): void }).destroy();
  expect((await send(endpoint, { method: "GET", path: "/a-bucket/k", contentSha256: EMPTY })).status).toBe(200);
});
