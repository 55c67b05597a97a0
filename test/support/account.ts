import { IAMClient } from "@aws-sdk/client-iam";
import { LambdaMicrovmsClient } from "@aws-sdk/client-lambda-microvms";
import { S3Client } from "@aws-sdk/client-s3";
import { AssumeRoleCommand, STSClient, type AssumeRoleCommandInput } from "@aws-sdk/client-sts";
import { onTestFinished } from "vitest";
import { createCallerAuthorizer } from "../../src/auth/caller-authorizer.ts";
import { joinCredentials, type CredentialStore } from "../../src/auth/credentials.ts";
import { createRoleSessions } from "../../src/auth/role-sessions.ts";
import type { AuditRecord } from "../../src/aws/audit-record.ts";
import { createRoleAuthorizer } from "../../src/auth/authorizer-roles.ts";
import { createIamService } from "../../src/aws/iam/iam-service.ts";
import { createCallAuthorizer } from "../../src/aws/permissions/call-authorizer.ts";
import { createLambdaCoreService } from "../../src/aws/lambda-core/lambda-core-service.ts";
import { createS3Service } from "../../src/aws/s3/s3-service.ts";
import { createStsService } from "../../src/aws/sts/sts-service.ts";
import { roleArn } from "../../src/model/arn.ts";
import { newRoleId } from "../../src/model/ids.ts";
import { insertRole, putRolePolicyRow } from "../../src/store/iam-store.ts";
import { useLambdaMicrovms } from "../fixtures/use-lambda-microvms.ts";
import { TEST_ACCOUNT, TEST_KEY, testCredentials, useApiEndpoint, useDirectory } from "./api-endpoint.ts";

export interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Lets the whole account in, who then need a permission of their own. */
export const ACCOUNT_TRUST = {
  Effect: "Allow",
  Principal: { AWS: `arn:aws:iam::${TEST_ACCOUNT}:root` },
  Action: "sts:AssumeRole",
};

export const policyText = (...statements: object[]) => JSON.stringify({ Version: "2012-10-17", Statement: statements });

/** A live API with roles, sessions and policies that bind, and clients of it that sign with any key. */
export async function useAccount({ others }: { others?: CredentialStore } = {}) {
  const lambda = await useLambdaMicrovms();
  const { store } = lambda;
  let clockMs = 0;
  const now = () => Date.now() + clockMs;
  const sessions = createRoleSessions({ store, now });
  const callers = createCallerAuthorizer({ store });
  const trail: AuditRecord[] = [];
  const endpoint = await useApiEndpoint(
    [
      lambda.service,
      createLambdaCoreService({ store, authorizer: createRoleAuthorizer({ store }), rebindEgress: async () => {} }),
      createS3Service({ store, objectsDirectory: await useDirectory() }),
      createIamService({ store }),
      createStsService({ store, sessions, authorizer: callers, now: () => new Date(now()) }),
    ],
    {
      credentials: joinCredentials([testCredentials, sessions, ...(others ? [others] : [])]),
      authorizer: createCallAuthorizer({ store, authorizer: callers, now: () => new Date(now()) }),
      audit: { record: (entry) => void trail.push(entry) },
      now: () => new Date(now()),
    },
  );
  // the clients correct their clocks by the server's, which has none of its own in these tests
  const config = (key: Key) => ({
    endpoint: endpoint.url,
    region: "us-east-1",
    credentials: key,
    maxAttempts: 1,
    systemClockOffset: clockMs,
  });
  const kept = <T extends { destroy(): void }>(client: T): T => {
    onTestFinished(() => client.destroy());
    return client;
  };
  const clients = {
    iam: (key: Key = TEST_KEY) => kept(new IAMClient(config(key))),
    sts: (key: Key = TEST_KEY) => kept(new STSClient(config(key))),
    s3: (key: Key = TEST_KEY) => kept(new S3Client({ ...config(key), forcePathStyle: true })),
    microvms: (key: Key = TEST_KEY) => kept(new LambdaMicrovmsClient(config(key))),
  };
  const makeRole = async (
    name: string,
    options: { trust?: object; allow?: readonly object[]; accountId?: string; maxSeconds?: number } = {},
  ): Promise<string> => {
    const { trust = ACCOUNT_TRUST, allow = [], accountId = TEST_ACCOUNT, maxSeconds = 3600 } = options;
    const arn = roleArn({ accountId, path: "/", name });
    await insertRole(store.db, {
      account_id: accountId,
      name,
      role_id: newRoleId(),
      arn,
      path: "/",
      trust_policy: policyText(trust),
      description: null,
      max_session_seconds: maxSeconds,
      tags_json: "[]",
      created_at: 1,
    });
    if (allow.length > 0)
      await putRolePolicyRow(store.db, {
        account_id: accountId,
        role_name: name,
        policy_name: "P",
        document: policyText(...allow),
      });
    return arn;
  };
  const assume = async (
    role: string,
    change: Partial<AssumeRoleCommandInput> = {},
    by: Key = TEST_KEY,
  ): Promise<Required<Key>> => {
    const { Credentials: made } = await clients
      .sts(by)
      .send(new AssumeRoleCommand({ RoleArn: role, RoleSessionName: "tester", ...change }));
    return {
      accessKeyId: made?.AccessKeyId ?? "",
      secretAccessKey: made?.SecretAccessKey ?? "",
      sessionToken: made?.SessionToken ?? "",
    };
  };
  /** The key of a new role with these statements. */
  const roleKey = async (name: string, ...allow: object[]): Promise<Required<Key>> =>
    assume(await makeRole(name, { allow }));
  return {
    ...clients,
    lambda,
    store,
    endpoint,
    trail,
    makeRole,
    assume,
    roleKey,
    advance: (ms: number) => (clockMs += ms),
  };
}
