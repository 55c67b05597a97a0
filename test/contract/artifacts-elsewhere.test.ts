import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as lambda from "@aws-sdk/client-lambda-microvms";
import * as iam from "@aws-sdk/client-iam";
import * as s3 from "@aws-sdk/client-s3";
import { expect, onTestFinished, test } from "vitest";
import { policyText } from "../support/account.ts";
import { openClients } from "../support/api-clients.ts";
import { useDirectory } from "../support/api-endpoint.ts";
import { openControlPlane } from "../support/control-plane.ts";

const ROLE = { RoleName: "Build" };

/** An S3 somewhere else, which is another server with keys of its own, and an API that builds from there. */
async function useTwo({ secret, endpoint }: { secret?: string; endpoint?: string } = {}) {
  const directory = await useDirectory();
  const elsewhere = await openControlPlane({ home: join(directory, "elsewhere") });
  onTestFinished(() => elsewhere.stop());
  const credentials = join(directory, "key.json");
  const key = { ...elsewhere.key, ...(secret !== undefined && { secretAccessKey: secret }) };
  await writeFile(credentials, JSON.stringify(key), { mode: 0o600 });
  const environment = { CATNAP_S3_ENDPOINT: endpoint ?? elsewhere.url, CATNAP_S3_CREDENTIALS: credentials };
  const here = await openControlPlane({ home: join(directory, "here"), environment });
  onTestFinished(() => here.stop());
  const [remote, clients] = [openClients(elsewhere), openClients(here)];
  onTestFinished(() => {
    remote.destroy();
    clients.destroy();
  });
  await remote.s3.send(new s3.CreateBucketCommand({ Bucket: "elsewhere" }));
  await remote.s3.send(new s3.PutObjectCommand({ Bucket: "elsewhere", Key: "app.zip", Body: "a zip" }));
  const trust = { Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" };
  const AssumeRolePolicyDocument = policyText(trust);
  await clients.iam.send(new iam.CreateRoleCommand({ ...ROLE, AssumeRolePolicyDocument }));
  const allow = (Resource: string) =>
    clients.iam.send(
      new iam.PutRolePolicyCommand({
        ...ROLE,
        PolicyName: "P",
        PolicyDocument: policyText({ Effect: "Allow", Action: "s3:GetObject", Resource }),
      }),
    );
  await allow("arn:aws:s3:::*");
  /** What became of an image from this artifact: its state, or why it could not be built. */
  const build = async (uri: string): Promise<string | undefined> => {
    const { imageArn } = await clients.lambda.send(
      new lambda.CreateMicrovmImageCommand({
        name: `image-${Math.random().toString(36).slice(2)}`,
        baseImageArn: "arn:aws:lambda:us-east-1:aws:microvm-image:al2023-1",
        buildRoleArn: "arn:aws:iam::123456789012:role/Build",
        codeArtifact: { uri },
      }),
    );
    await here.idle();
    const version = { imageIdentifier: imageArn, imageVersion: "1.0" };
    const { items } = await clients.lambda.send(new lambda.ListMicrovmImageBuildsCommand(version));
    return items?.[0]?.stateReason ?? items?.[0]?.buildState;
  };
  return { build, allow, clients, remote };
}

test("an artifact of a bucket that is not here is read from the other S3, as far as the build role may", async () => {
  const { build, allow, clients } = await useTwo();
  expect(await build("s3://elsewhere/app.zip")).toBe("SUCCESSFUL");
  await clients.s3.send(new s3.CreateBucketCommand({ Bucket: "mine" }));
  await clients.s3.send(new s3.PutObjectCommand({ Bucket: "mine", Key: "app.zip", Body: "a zip" }));
  expect(await build("s3://mine/app.zip")).toBe("SUCCESSFUL");
  await allow("arn:aws:s3:::mine/*");
  expect(await build("s3://elsewhere/app.zip")).toMatch(
    /^S3_ACCESS_DENIED: the build role .* may not read s3:\/\/elsewhere/,
  );
});

test("what is neither here nor there is told as of one's own", async () => {
  const { build } = await useTwo();
  expect(await build("s3://nowhere/app.zip")).toBe("S3_NO_SUCH_BUCKET: there is no bucket named nowhere");
  expect(await build("s3://elsewhere/none.zip")).toBe(
    "S3_NO_SUCH_KEY: there is no object none.zip in bucket elsewhere",
  );
});

test("a key that the other S3 does not take, and one that is not there, say which setting to mend", async () => {
  const wrong = await useTwo({ secret: "wrong" });
  expect(await wrong.build("s3://elsewhere/app.zip")).toMatch(
    /^S3_ACCESS_DENIED: the S3 at http.* answers SignatureDoesNotMatch .*; check CATNAP_S3_CREDENTIALS$/s,
  );
  const gone = await useTwo({ endpoint: "http://127.0.0.1:9" });
  expect(await gone.build("s3://elsewhere/app.zip")).toMatch(/ECONNREFUSED.*check CATNAP_S3_ENDPOINT$/s);
});
