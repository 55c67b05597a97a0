import { Sha256 } from "@aws-sdk/checksums/sha";
import { AssumeRoleCommand } from "@aws-sdk/client-sts";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { SignatureV4 } from "@smithy/signature-v4";
import { expect, test } from "vitest";
import { useAccount, type Key } from "../../../test/support/account.ts";
import { TEST_KEY } from "../../../test/support/api-endpoint.ts";

const WORK = { Effect: "Allow", Action: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], Resource: "*" };

interface Presigning {
  readonly seconds?: number;
  readonly query?: Record<string, string>;
}

/** A link as the SDK's presigner makes it. */
async function presign(url: string, method: string, key: Key, { seconds = 60, query = {} }: Presigning = {}) {
  const { hostname, port, host, pathname } = new URL(url);
  const signer = new SignatureV4({
    service: "s3",
    region: "us-east-1",
    credentials: key,
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  });
  const request = {
    method,
    protocol: "http:",
    hostname,
    port: Number(port),
    path: pathname,
    query,
    headers: { host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
  };
  const signed = await signer.presign(request, { expiresIn: seconds });
  const pairs = Object.entries(signed.query ?? {}).map(([name, value]): [string, string] => [name, String(value)]);
  return `${url}?${new URLSearchParams(pairs).toString().replaceAll("+", "%20")}`;
}

async function useBox() {
  const account = await useAccount();
  await account.s3().send(new CreateBucketCommand({ Bucket: "box" }));
  return { ...account, object: `${account.endpoint.url}/box/k` };
}

test.each(["a lasting key", "temporary credentials"])("%s presigns every method", async (kind) => {
  const { object, roleKey } = await useBox();
  const key = kind === "a lasting key" ? TEST_KEY : await roleKey("Linker", WORK);
  const send = async (method: string, body?: string) => fetch(await presign(object, method, key), { method, body });
  expect((await send("PUT", "hello")).status).toBe(200);
  expect((await send("HEAD")).headers.get("content-length")).toBe("5");
  expect(await (await send("GET")).text()).toBe("hello");
  expect((await send("DELETE")).status).toBe(204);
  expect((await send("GET")).status).toBe(404);
});

test("a link is good for its method, its object, its answer's headers and its time alone", async () => {
  const { object, s3, advance } = await useBox();
  await s3().send(new PutObjectCommand({ Bucket: "box", Key: "k", Body: "hello" }));
  const link = await presign(object, "GET", TEST_KEY, { query: { "response-content-type": "text/x" } });
  expect((await fetch(link)).headers.get("content-type")).toBe("text/x");
  const refused = async (url: string, init: RequestInit = {}) => {
    const answer = await fetch(url, init);
    return [answer.status, /<Code>(\w+)/.exec(await answer.text())?.[1]];
  };
  expect(await refused(link, { method: "PUT", body: "x" })).toEqual([403, "SignatureDoesNotMatch"]);
  expect(await refused(link.replace("/box/k", "/box/l"))).toEqual([403, "SignatureDoesNotMatch"]);
  expect(await refused(link.replace("text%2Fx", "text%2Fhtml"))).toEqual([403, "SignatureDoesNotMatch"]);
  expect(await refused(link.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))).toEqual([403, "SignatureDoesNotMatch"]);
  expect(await refused(link.replace("X-Amz-Expires=60", "X-Amz-Expires=604801"))).toEqual([
    400,
    "AuthorizationHeaderMalformed",
  ]);
  advance(61_000);
  expect(await refused(link)).toEqual([403, "AccessDenied"]);
});

test("a link of temporary credentials needs their token, binds by their policies and ends with them", async () => {
  const { object, s3, sts, makeRole, advance } = await useBox();
  await s3().send(new PutObjectCommand({ Bucket: "box", Key: "k", Body: "hello" }));
  const role = await makeRole("Reader", { allow: [{ ...WORK, Action: "s3:GetObject" }] });
  const { Credentials: made } = await sts().send(
    new AssumeRoleCommand({ RoleArn: role, RoleSessionName: "links", DurationSeconds: 900 }),
  );
  const key = {
    accessKeyId: made?.AccessKeyId ?? "",
    secretAccessKey: made?.SecretAccessKey ?? "",
    sessionToken: made?.SessionToken ?? "",
  };
  const link = await presign(object, "GET", key, { seconds: 3600 });
  const code = async (url: string, init: RequestInit = {}) => {
    const answer = await fetch(url, init);
    return answer.ok ? answer.status : /<Code>(\w+)/.exec(await answer.text())?.[1];
  };
  expect(await code(link)).toBe(200);
  expect(await code(link.replace(/X-Amz-Security-Token=[^&]*/, "X-Amz-Security-Token=forged"))).toBe("InvalidToken");
  expect(await code(link.replace(/&?X-Amz-Security-Token=[^&]*/, ""))).toBe("InvalidToken");
  const write = await presign(object, "PUT", key);
  expect(await code(write, { method: "PUT", body: "x" })).toBe("AccessDenied");
  advance(901_000);
  expect(await code(link)).toBe("ExpiredToken");
});

test("an upload in signed chunks works with temporary credentials", async () => {
  const { s3, roleKey } = await useBox();
  const key = await roleKey("Uploader", WORK);
  const body = "0123456789".repeat(20_000);
  // a checksum at the end makes the SDK send chunks
  await s3(key).send(new PutObjectCommand({ Bucket: "box", Key: "big", Body: body, ChecksumAlgorithm: "CRC32" }));
  const { Body } = await s3(key).send(new GetObjectCommand({ Bucket: "box", Key: "big" }));
  expect(await Body?.transformToString()).toBe(body);
});
