import { expect, test } from "vitest";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { TEST_KEY } from "../../../test/support/api-endpoint.ts";
import { sendBytes, toBytes } from "../../../test/support/raw-http.ts";
import { useS3 } from "../../../test/support/s3-endpoint.ts";
import { signRequest } from "../../../test/support/sign-request.ts";

const IN_BOX = { Bucket: "box", Key: "k" };

async function useObject() {
  const { port, client } = await useS3();
  const s3 = client();
  await s3.send(new CreateBucketCommand(IN_BOX));
  await s3.send(new PutObjectCommand({ ...IN_BOX, Body: "kept" }));
  const read = async () => (await s3.send(new GetObjectCommand(IN_BOX))).Body?.transformToString();
  const signedDelete = (body: string) => {
    const draft = { method: "DELETE", target: "/box/k", headers: { host: "localhost" }, body: Buffer.from(body) };
    return { ...draft, headers: signRequest(draft, { key: TEST_KEY, service: "s3" }) };
  };
  return { port, read, signedDelete };
}

test("an operation that takes no body is refused when what comes is not what was signed", async () => {
  const { port, read, signedDelete } = await useObject();
  const answer = await sendBytes(port, [toBytes({ ...signedDelete("signed"), body: Buffer.from("forged") })]);
  expect([answer.status, answer.text]).toEqual([400, expect.stringContaining("XAmzContentSHA256Mismatch")]);
  expect(await read()).toBe("kept");
});

test("nothing is done for a client that goes away before its body has come", async () => {
  const { port, read, signedDelete } = await useObject();
  const whole = toBytes(signedDelete("signed"));
  await sendBytes(port, [whole.subarray(0, whole.length - 1)], { isCutShort: true });
  expect(await read()).toBe("kept");
});
