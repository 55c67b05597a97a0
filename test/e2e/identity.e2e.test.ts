import { setTimeout } from "node:timers/promises";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { AwsCli } from "../support/aws.ts";
import { newCatnapServer } from "../support/catnap-server.ts";
import { BUILD_ROLE, buildApp, microvmBecomes } from "../support/walkthrough.ts";

const ACCOUNT = "123456789012";
const EXECUTION_ROLE = "MicroVMExecutionRole";
const POLICY = '{"maxIdleDurationSeconds":300,"suspendedDurationSeconds":300,"autoResumeEnabled":true}';
const IMDS = "http://169.254.169.254";
const API = "http://169.254.169.252";
const CREDENTIALS = `${IMDS}/latest/meta-data/iam/security-credentials`;

interface Done {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Inside {
  readonly microvmId: string;
  sh(script: string): Promise<Done>;
  python(script: string): Promise<Done>;
}

async function useIdentityApp() {
  const server = await newCatnapServer({ CATNAP_DOZE_SECONDS: "0" });
  onTestFinished(() => server.dispose());
  await server.start();
  const aws = await AwsCli.open(server.clientEnv);
  onTestFinished(() => aws.dispose());
  const { bucket, imageArn } = await buildApp(aws, { app: "identity", imageName: "identity", region: "us-east-1" });
  const policy = {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: ["s3:GetObject", "s3:PutObject"], Resource: `arn:aws:s3:::${bucket}/in/*` },
      { Effect: "Allow", Action: "lambda:GetMicrovmImage", Resource: imageArn },
    ],
  };
  await writeFile(join(aws.folder, "execution-policy.json"), JSON.stringify(policy));
  await writeFile(join(aws.folder, "hello"), "hello from the host");
  await aws.shell(
    [
      `aws iam create-role --role-name ${EXECUTION_ROLE} --assume-role-policy-document file://trust-policy.json`,
      `aws iam put-role-policy --role-name ${EXECUTION_ROLE} --policy-name Work --policy-document file://execution-policy.json`,
      `aws s3 cp hello s3://${bucket}/in/hello`,
    ].join(" && "),
  );
  const run = async (...more: string[]): Promise<Inside> => {
    const text = await aws.run(
      ...["lambda-microvms", "run-microvm", "--image-identifier", imageArn, "--idle-policy", POLICY, ...more],
    );
    const { microvmId, endpoint } = JSON.parse(text) as { microvmId: string; endpoint: string };
    const token = await aws.run(
      ...["lambda-microvms", "create-microvm-auth-token", "--microvm-identifier", microvmId],
      ...["--expiration-in-minutes", "30", "--allowed-ports", '[{"port":8080}]'],
      ...["--query", 'authToken."X-aws-proxy-auth"', "--output", "text"],
    );
    const post = async (body: string) => {
      await writeFile(join(aws.folder, "script"), body);
      const answer = await aws.shell(
        `curl -sS "https://${endpoint}/" -H "X-aws-proxy-auth: ${token}" --data-binary @script`,
      );
      return JSON.parse(answer) as Done;
    };
    return { microvmId, sh: (script) => post(`sh\n${script}`), python: (script) => post(`python\n${script}`) };
  };
  const runWithRole = () => run("--execution-role-arn", `arn:aws:iam::${ACCOUNT}:role/${EXECUTION_ROLE}`);
  return { server, aws, bucket, imageArn, run, runWithRole };
}

const token = `$(curl -sf -X PUT ${IMDS}/latest/api/token -H "X-aws-ec2-metadata-token-ttl-seconds: 300")`;
const get = (url: string, with_ = token) =>
  `T=${with_}; curl -s -w ' %{http_code}' -H "X-aws-ec2-metadata-token: $T" ${url}`;
const s3 = (call: string) =>
  `answer = boto3.Session().client("s3", endpoint_url="${API}", region_name="us-east-1").${call}`;

test("an app has the credentials of its execution role, they bind, and nobody else has them", async () => {
  const { server, aws, bucket, imageArn, run, runWithRole } = await useIdentityApp();
  const [app, other, plain] = [await runWithRole(), await runWithRole(), await run()];
  const session = `arn:aws:sts::${ACCOUNT}:assumed-role/${EXECUTION_ROLE}/${app.microvmId}`;

  // curl, as the documentation types it
  expect((await app.sh(`curl -s -o /dev/null -w '%{http_code}' ${CREDENTIALS}/`)).out).toBe("401");
  expect((await app.sh(get(`${CREDENTIALS}/`))).out).toBe("execution_role 200");
  const documentOf = async (of: Inside) =>
    JSON.parse((await of.sh(get(`${CREDENTIALS}/execution_role`))).out.replace(/ 200$/, "")) as Record<string, string>;
  const document = await documentOf(app);
  expect(document).toMatchObject({ Code: "Success", Type: "AWS-HMAC", AccessKeyId: expect.stringMatching(/^ASIA/) });
  const minutes = (Date.parse(document["Expiration"] ?? "") - Date.parse(document["LastUpdated"] ?? "")) / 60_000;
  expect(Math.round(minutes)).toBe(55);

  // the real SDK, from inside
  const identify = `answer = boto3.client("sts", endpoint_url="${API}", region_name="us-east-1").get_caller_identity()["Arn"]`;
  expect(await app.python(identify)).toMatchObject({ code: 0, out: session });
  expect(await app.python(s3(`get_object(Bucket="${bucket}", Key="in/hello")["Body"].read().decode()`))).toMatchObject({
    out: "hello from the host",
  });
  await app.python(s3(`put_object(Bucket="${bucket}", Key="in/reply", Body=b"hello from the guest")["ETag"]`));
  expect(await aws.run("s3", "cp", `s3://${bucket}/in/reply`, "-")).toBe("hello from the guest");
  const refused = await app.python(s3(`get_object(Bucket="${bucket}", Key="app.zip")["ETag"]`));
  expect(refused.err).toContain(
    `User: ${session} is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::${bucket}/app.zip`,
  );

  // the build had its own role, and a client made then goes on working
  const built = await app.python("answer = built_as");
  expect(built.out).toMatch(new RegExp(`^arn:aws:sts::${ACCOUNT}:assumed-role/${BUILD_ROLE}/`));
  const then = await app.python(`answer = sts.get_caller_identity()["Arn"]`);
  expect([session, built.out]).toContain(then.out);

  // nobody else
  expect((await documentOf(other))["AccessKeyId"]).not.toBe(document["AccessKeyId"]);
  const foreign = (await other.sh(`echo ${token}`)).out;
  expect((await app.sh(get(`${CREDENTIALS}/execution_role`, foreign))).out).toMatch(/401$/);
  expect((await plain.sh(get(`${CREDENTIALS}/`))).out).toMatch(/404$/);
  expect((await plain.sh(get(`${CREDENTIALS}/execution_role`))).out).toMatch(/404$/);
  expect((await plain.python(identify)).err).toContain("NoCredentialsError");
  expect((await plain.sh(get(`${IMDS}/latest/meta-data/instance-id`))).out).toBe(`${plain.microvmId} 200`);
  const apiPort = new URL(server.clientEnv()["AWS_ENDPOINT_URL"] ?? "").port;
  expect((await app.sh(`curl -s -m 5 http://172.16.0.1:${apiPort}/health`)).code).not.toBe(0);

  // asleep and awake, and over the server's end
  const kept = (await app.sh(`echo ${token}`)).out;
  await aws.run("lambda-microvms", "suspend-microvm", "--microvm-identifier", app.microvmId);
  await microvmBecomes(aws, app.microvmId, "SUSPENDED");
  await setTimeout(500); // the doze is over: the wake takes a new network slot
  expect(JSON.parse((await app.sh(get(`${CREDENTIALS}/execution_role`, kept))).out.replace(/ 200$/, ""))).toEqual(
    document,
  );
  await server.crash();
  await server.start();
  expect(JSON.parse((await app.sh(get(`${CREDENTIALS}/execution_role`, kept))).out.replace(/ 200$/, ""))).toEqual(
    document,
  );
  expect(await app.python(identify)).toMatchObject({ out: session });

  // the trail knows, and holds no secret
  const trail = await readFile(join(server.home, "audit.log"), "utf8");
  const lines = trail
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toContainEqual(
    expect.objectContaining({
      eventName: "GetObject",
      errorCode: "AccessDenied",
      userIdentity: expect.objectContaining({ arn: session }),
      resources: [{ ARN: `arn:aws:s3:::${bucket}/app.zip`, type: "AWS::S3::Object" }],
    }),
  );
  expect(lines).toContainEqual(
    expect.objectContaining({
      eventName: "RunMicrovm",
      requestParameters: expect.objectContaining({ microvmImageArn: imageArn }),
    }),
  );
  for (const secret of [document["SecretAccessKey"], document["Token"]]) expect(trail).not.toContain(secret);
});
