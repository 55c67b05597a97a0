import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as iam from "@aws-sdk/client-iam";
import * as lambdaSchemas from "@aws-sdk/client-lambda-microvms";
import * as s3 from "@aws-sdk/client-s3";
import { expect, onTestFinished, vi } from "vitest";
import * as coreSchemas from "../../src/aws/lambda-core/schemas.ts";
import { readServiceModel } from "../../src/aws/protocol/service-model.ts";
import type { ServiceDefinition } from "../../src/aws/service.ts";
import { toRequest } from "../fuzz/wire-forms.ts";
import { policyText } from "../support/account.ts";
import { openClients } from "../support/api-clients.ts";
import { useDirectory } from "../support/api-endpoint.ts";
import { openControlPlane } from "../support/control-plane.ts";
import { sendBytes, toBytes } from "../support/raw-http.ts";
import { signRequest, type SigningKey } from "../support/sign-request.ts";

export const REGION_PREFIX = "arn:aws:lambda:us-east-1";
const ACCOUNT = "123456789012";
const NOBODY: SigningKey = { accessKeyId: "AKIANOBODYNOBODYNOBO", secretAccessKey: "a secret of nobody at all" };

const DEFINITIONS: readonly ServiceDefinition[] = [lambdaSchemas, coreSchemas].map((schemas) => ({
  signingName: "lambda",
  protocol: "restJson1",
  schemas: { ...schemas },
  operations: {},
}));

export type Input = Readonly<Record<string, unknown>>;

/** What a call was answered with. */
export interface WireAnswer {
  readonly status: number;
  /** Of the header that tells the SDKs which class to make of it. */
  readonly errorType: string | undefined;
  readonly body: string;
}

export type SmallWorld = Awaited<ReturnType<typeof useSmallWorld>>;

/** One of each thing an operation may be about, and a user who may do nothing. */
export async function useSmallWorld(environment: Readonly<Record<string, string>> = {}) {
  const directory = await useDirectory();
  const accounts = join(directory, "accounts.json");
  const users = [{ name: "nobody", keys: [NOBODY] }];
  await writeFile(accounts, JSON.stringify({ accounts: [{ accountId: ACCOUNT, users }] }), { mode: 0o600 });
  const home = join(directory, "home");
  const plane = await openControlPlane({ home, environment: { CATNAP_ACCOUNTS: accounts, ...environment } });
  onTestFinished(() => plane.stop());
  const call = async (operation: string, input: Input, key: SigningKey = plane.key): Promise<WireAnswer> => {
    const draft = draftOf(operation, input);
    const headers = signRequest(draft, { key, service: "lambda" });
    const { status = 0, text } = await sendBytes(plane.port, [toBytes({ ...draft, headers })]);
    const errorType = /^x-amzn-errortype: (.*)$/im.exec(text)?.[1];
    return { status, errorType, body: text.slice(text.indexOf("\r\n\r\n") + 4) };
  };
  const made = async (operation: string, input: Input) => {
    const { status, body } = await call(operation, input);
    expect([status < 300, body]).toEqual([true, body]);
    return JSON.parse(body) as Record<string, string>;
  };
  const roleArn = await makeRoleAndArtifact(plane);
  const imageSettings = {
    baseImageArn: `${REGION_PREFIX}:aws:microvm-image:al2023-1`,
    buildRoleArn: roleArn,
    codeArtifact: { uri: "s3://box/app.zip" },
  };
  const { imageArn = "" } = await made("CreateMicrovmImage", { name: "app", ...imageSettings });
  await plane.idle();
  const { microvmId = "" } = await made("RunMicrovm", { imageIdentifier: imageArn });
  const { build_id: buildId } = await plane.store.db
    .selectFrom("image_builds")
    .select("build_id")
    .executeTakeFirstOrThrow();
  const becomes = (id: string, state: string) =>
    vi.waitFor(
      async () => {
        expect(await plane.stateOf(id)).toBe(state);
      },
      { timeout: 20_000, interval: 5 },
    );
  await becomes(microvmId, "RUNNING");
  return { plane, call, made, becomes, roleArn, imageSettings, imageArn, buildId, microvmId, nobody: NOBODY };
}

export const connectorSettings = ({ roleArn }: Pick<SmallWorld, "roleArn">, subnet = "subnet-0a1") => ({
  Configuration: {
    VpcEgressConfiguration: {
      SubnetIds: [subnet],
      SecurityGroupIds: ["sg-1"],
      NetworkProtocol: "IPv4",
      AssociatedComputeResourceTypes: ["MicroVm"],
    },
  },
  OperatorRole: roleArn,
});

/** A connector named "vpc". */
export async function makeConnector(world: SmallWorld): Promise<void> {
  await world.made("CreateNetworkConnector", { Name: "vpc", ...connectorSettings(world) });
}

async function makeRoleAndArtifact(plane: Parameters<typeof openClients>[0]): Promise<string> {
  const clients = openClients(plane);
  onTestFinished(() => clients.destroy());
  const trust = policyText({
    Effect: "Allow",
    Principal: { Service: "lambda.amazonaws.com" },
    Action: "sts:AssumeRole",
  });
  const { Role } = await clients.iam.send(
    new iam.CreateRoleCommand({ RoleName: "Build", AssumeRolePolicyDocument: trust }),
  );
  const PolicyDocument = policyText({ Effect: "Allow", Action: "*", Resource: "*" });
  await clients.iam.send(new iam.PutRolePolicyCommand({ RoleName: "Build", PolicyName: "P", PolicyDocument }));
  await clients.s3.send(new s3.CreateBucketCommand({ Bucket: "box" }));
  await clients.s3.send(new s3.PutObjectCommand({ Bucket: "box", Key: "app.zip", Body: "zip" }));
  return Role?.Arn ?? "";
}

function draftOf(operation: string, input: Input) {
  for (const definition of DEFINITIONS) {
    const model = readServiceModel(definition.schemas).operations.get(operation);
    if (model) return toRequest(definition, model, input);
  }
  throw new Error(`no service has an operation ${operation}`);
}
