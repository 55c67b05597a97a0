import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import * as lambdaSchemas from "@aws-sdk/client-lambda-microvms";
import { Sha256 } from "@aws-sdk/checksums/sha";
import * as stsSchemas from "@aws-sdk/client-sts";
import { SignatureV4 } from "@smithy/signature-v4";
import { expect, onTestFinished, test } from "vitest";
import type { CredentialStore } from "../auth/credentials.ts";
import { ServiceFault } from "../errors/service-fault.ts";
import { createApiServer } from "./api-server.ts";
import type { Operation, ServiceDefinition } from "./service.ts";

const { GetMicrovmCommand, LambdaMicrovmsClient, ListMicrovmImagesCommand, RunMicrovmCommand, UntagResourceCommand } =
  lambdaSchemas;
const KEY = { accessKeyId: "AKIATESTTESTTESTTEST", secretAccessKey: "secret" };
const ARN = "arn:aws:lambda:us-east-1:123456789012:microvm-image:app";

const credentials: CredentialStore = {
  lookup: async (id) =>
    id === KEY.accessKeyId
      ? {
          secretAccessKey: KEY.secretAccessKey,
          principal: {
            arn: "arn:aws:iam::123456789012:root",
            accountId: "123456789012",
            accessKeyId: id,
            isAdministrator: true,
          },
        }
      : undefined,
};

async function useEndpoint(operations: Record<string, Operation>): Promise<{ endpoint: string; lines: object[] }> {
  const lines: object[] = [];
  const log = { info: (values: object) => void lines.push(values), error: (values: object) => void lines.push(values) };
  const lambda: ServiceDefinition = {
    signingName: "lambda",
    protocol: "restJson1",
    schemas: lambdaSchemas,
    operations,
  };
  const sts: ServiceDefinition = {
    signingName: "sts",
    protocol: "awsQuery",
    schemas: stsSchemas,
    xmlNamespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    operations,
  };
  const server = createApiServer({ services: [lambda, sts], credentials, baseDomains: ["localhost"], log });
  return { endpoint: await listen(server), lines };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function lambdaClient(endpoint: string, key = KEY): InstanceType<typeof LambdaMicrovmsClient> {
  const client = new LambdaMicrovmsClient({ endpoint, region: "eu-west-1", credentials: key, maxAttempts: 1 });
  onTestFinished(() => client.destroy());
  return client;
}

test("the SDK reads back what an operation answers, times as dates", async () => {
  const startedAt = new Date(1_790_000_000_123);
  const seen: unknown[] = [];
  const { endpoint, lines } = await useEndpoint({
    RunMicrovm: async (input, context) => {
      seen.push(input, context.region, context.accountId);
      return {
        microvmId: "microvm-1",
        state: "PENDING",
        endpoint: "e",
        imageArn: ARN,
        imageVersion: "1.0",
        startedAt,
        maximumDurationInSeconds: 60,
        unknown: 1,
      };
    },
  });
  const idlePolicy = { maxIdleDurationSeconds: 900, suspendedDurationSeconds: 300, autoResumeEnabled: true };
  const answer = await lambdaClient(endpoint).send(
    new RunMicrovmCommand({ imageIdentifier: ARN, idlePolicy, clientToken: "t" }),
  );
  expect(answer).toMatchObject({ microvmId: "microvm-1", state: "PENDING", startedAt });
  expect(answer.$metadata).toMatchObject({ httpStatusCode: 200, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  expect(answer).not.toHaveProperty("unknown");
  expect(seen).toEqual([{ imageIdentifier: ARN, idlePolicy, clientToken: "t" }, "eu-west-1", "123456789012"]);
  expect(lines).toMatchObject([{ service: "lambda", operation: "RunMicrovm", status: 200 }]);
});

test("labels, lists in the query and an empty answer pass both ways", async () => {
  const inputs: unknown[] = [];
  const { endpoint } = await useEndpoint({
    UntagResource: async (input) => void inputs.push(input),
    ListMicrovmImages: async (input) => {
      inputs.push(input);
      return { items: [] };
    },
  });
  const client = lambdaClient(endpoint);
  await client.send(new UntagResourceCommand({ Resource: ARN, TagKeys: ["a b", "ü/=&"] }));
  expect(await client.send(new ListMicrovmImagesCommand({ maxResults: 5, nextToken: "a+/=" }))).toMatchObject({
    items: [],
  });
  expect(inputs).toEqual([
    { Resource: ARN, TagKeys: ["a b", "ü/=&"] },
    { maxResults: 5, nextToken: "a+/=" },
  ]);
});

test("modelled faults arrive as the SDK's typed exceptions with their members", async () => {
  const faults: ServiceFault[] = [
    new ServiceFault("ResourceNotFoundException", "Unable to find", {
      members: { resourceId: "x", resourceType: "microvm" },
    }),
    new ServiceFault("ThrottlingException", "slow", { members: { retryAfterSeconds: 7 } }),
    new ServiceFault("ServiceQuotaExceededException", "enough", { members: { quotaCode: "q" } }),
  ];
  const { endpoint } = await useEndpoint({
    GetMicrovm: async () => {
      throw faults.shift();
    },
  });
  const client = lambdaClient(endpoint);
  const call = () =>
    client.send(new GetMicrovmCommand({ microvmIdentifier: "microvm-1" })).catch((error: unknown) => error);
  const notFound = await call();
  expect(notFound).toBeInstanceOf(lambdaSchemas.ResourceNotFoundException);
  expect(notFound).toMatchObject({
    message: "Unable to find",
    resourceId: "x",
    resourceType: "microvm",
    $metadata: { httpStatusCode: 404 },
  });
  expect(await call()).toMatchObject({
    name: "ThrottlingException",
    retryAfterSeconds: 7,
    $metadata: { httpStatusCode: 429 },
  });
  expect(await call()).toMatchObject({
    name: "ServiceQuotaExceededException",
    quotaCode: "q",
    $metadata: { httpStatusCode: 402 },
  });
});

test("an unexpected error becomes InternalServerException, its cause only in the log", async () => {
  const { endpoint, lines } = await useEndpoint({
    GetMicrovm: async () => {
      throw new TypeError("secret detail");
    },
  });
  const error = await lambdaClient(endpoint)
    .send(new GetMicrovmCommand({ microvmIdentifier: "m" }))
    .catch((e: unknown) => e);
  expect(error).toBeInstanceOf(lambdaSchemas.InternalServerException);
  expect(String(error)).not.toContain("secret detail");
  expect(lines).toMatchObject([{ err: { cause: { message: "secret detail" } } }, { status: 500 }]);
});

test("an unknown key, a wrong secret and no signature at all are refused with 403", async () => {
  const { endpoint } = await useEndpoint({});
  const send = (key: typeof KEY) =>
    lambdaClient(endpoint, key)
      .send(new GetMicrovmCommand({ microvmIdentifier: "m" }))
      .catch((e: unknown) => e);
  expect(await send({ ...KEY, accessKeyId: "AKIANOBODY" })).toMatchObject({
    name: "UnrecognizedClientException",
    $metadata: { httpStatusCode: 403 },
  });
  expect(await send({ ...KEY, secretAccessKey: "wrong" })).toMatchObject({
    name: "InvalidSignatureException",
    $metadata: { httpStatusCode: 403 },
  });
  const bare = await fetch(`${endpoint}/2025-09-09/microvms`);
  expect([bare.status, bare.headers.get("x-amzn-errortype")]).toEqual([403, "MissingAuthenticationTokenException"]);
});

test("health needs no signature", async () => {
  const { endpoint } = await useEndpoint({});
  const answer = await fetch(`${endpoint}/health`);
  expect([answer.status, await answer.json()]).toEqual([200, { status: "ok" }]);
});

test("awsQuery answers identity and unknown operations", async () => {
  const { endpoint } = await useEndpoint({
    GetCallerIdentity: async (_input, { principal }) => ({
      Account: principal.accountId,
      Arn: principal.arn,
      UserId: "u & <u>",
    }),
  });
  const client = new stsSchemas.STSClient({ endpoint, region: "us-east-1", credentials: KEY, maxAttempts: 1 });
  onTestFinished(() => client.destroy());
  expect(await client.send(new stsSchemas.GetCallerIdentityCommand({}))).toMatchObject({
    Account: "123456789012",
    UserId: "u & <u>",
  });
  const refusal = client.send(new stsSchemas.GetSessionTokenCommand({}));
  await expect(refusal).rejects.toMatchObject({ Code: "InvalidAction", $metadata: { httpStatusCode: 400 } });
});

test("a client that goes away aborts the operation", async () => {
  const aborted = Promise.withResolvers<void>();
  const running = Promise.withResolvers<void>();
  const { endpoint } = await useEndpoint({
    GetMicrovm: (_input, { signal }) =>
      new Promise((_resolve, reject) => {
        running.resolve();
        signal.addEventListener("abort", () => {
          aborted.resolve();
          reject(new Error("aborted"));
        });
      }),
  });
  const client = lambdaClient(endpoint);
  const leaving = new AbortController();
  const call = client.send(new GetMicrovmCommand({ microvmIdentifier: "m" }), { abortSignal: leaving.signal });
  call.catch(() => {});
  await running.promise;
  leaving.abort();
  await aborted.promise;
});

test("a bare equals sign in a query value is refused", async () => {
  const { endpoint } = await useEndpoint({ ListMicrovms: async () => ({ items: [] }) });
  const signer = new SignatureV4({ service: "lambda", region: "eu-west-1", credentials: KEY, sha256: Sha256 });
  const ask = async (search: string, nextToken: string) => {
    const { host } = new URL(endpoint);
    const path = "/2025-09-09/microvms";
    const request = { method: "GET", protocol: "http:", hostname: host, path, query: { nextToken }, headers: { host } };
    const { host: _, ...headers } = (await signer.sign(request)).headers;
    return (await fetch(`${endpoint}${path}?${search}`, { headers })).status;
  };
  expect(await ask("nextToken=a%3D%3D", "a==")).toBe(200);
  expect(await ask("nextToken=a==", "a==")).toBe(400);
});
