import { findRoleByArn } from "../../auth/assume-role.ts";
import type { CallerAuthorizer } from "../../auth/caller-authorizer.ts";
import { callerContext } from "../../auth/caller-context.ts";
import { withHiddenTags, withKeys } from "../../auth/policy-context.ts";
import { roleTags } from "../../auth/role-tags.ts";
import { parseImageArn } from "../../model/arn.ts";
import { parseConnectorArn } from "../../model/connectors.ts";
import { connectorTags, findConnector, findConnectorNamed } from "../../store/connector-store.ts";
import { findRole } from "../../store/iam-store.ts";
import type { Store } from "../../store/store.ts";
import type { CallAuthorizer } from "../call-access.ts";
import type { Denial } from "../not-authorized.ts";
import { IAM_PERMISSIONS } from "./iam-permissions.ts";
import { createImageFacts } from "./image-facts.ts";
import { LAMBDA_PERMISSIONS, STS_PERMISSIONS } from "./lambda-permissions.ts";
import { LOGS_PERMISSIONS } from "./logs-permissions.ts";
import { onAnything, type PermissionScope, type PermissionTable } from "./permission.ts";
import { S3_PERMISSIONS } from "./s3-permissions.ts";

/** Every operation's permissions, by signing name. */
export const PERMISSIONS: Readonly<Record<string, PermissionTable>> = {
  lambda: LAMBDA_PERMISSIONS,
  s3: S3_PERMISSIONS,
  logs: LOGS_PERMISSIONS,
  iam: IAM_PERMISSIONS,
  sts: STS_PERMISSIONS,
};

export interface CallAuthorizerOptions {
  readonly store: Store;
  readonly authorizer: CallerAuthorizer;
  readonly now?: () => Date;
}

/** Asks the caller's policies for everything that an operation needs. */
export function createCallAuthorizer(options: CallAuthorizerOptions): CallAuthorizer {
  const { store, authorizer, now = () => new Date() } = options;
  const images = createImageFacts(store);
  return {
    async authorize({ signingName, operation, input, context }) {
      const scope: PermissionScope = {
        accountId: context.accountId,
        region: context.region,
        images,
        connectorArn: async (identifier) => (await findConnectorNamed(store.db, context, identifier))?.arn,
        roleArn: async (name) => (await findRole(store.db, { accountId: context.accountId, name }))?.arn,
      };
      const rule = PERMISSIONS[signingName]?.[operation] ?? onAnything(`${signingName}:${operation}`);
      const needed = await rule(input, scope);
      const keys = callerContext(context.principal, { ...context, now: now() });
      const judge = await authorizer.judgeOf(context.principal);
      const reasons = new Set<string>();
      const resources: string[] = [];
      const refusedParts = new Map<string, Denial>();
      for (const { action, resource, part, context: own = [] } of needed) {
        const tags = await resourceTags(store, scope, resource);
        const known = withKeys(keys, own, tags ?? []);
        const decision = judge({ action, resource, context: tags ? known : withHiddenTags(known) });
        if (!decision.allowed) {
          const denial = { action, resource, why: decision.why };
          if (part === undefined) return { allowed: false, ...denial };
          refusedParts.set(part, denial);
          continue;
        }
        resources.push(resource);
        if (decision.by !== undefined) reasons.add(decision.by);
      }
      return { allowed: true, resources, by: [...reasons].join("; "), refusedParts };
    },
  };
}

/** The tags of a resource as condition keys; undefined when it may have some that are kept elsewhere. */
async function resourceTags(
  store: Store,
  { accountId, images }: PermissionScope,
  resource: string,
): Promise<[string, string][] | undefined> {
  if (resource === "*" || resource.startsWith("arn:aws:s3:::")) return [];
  const role = await findRoleByArn(store, resource);
  if (role) return role.account_id === accountId ? roleTags(role, "aws:resourcetag/") : [];
  const tags = parseImageArn(resource)
    ? await images.tagsOf(accountId, resource)
    : await tagsOfConnector(store, accountId, resource);
  return tags && Object.entries(tags).map(([key, value]) => [`aws:resourcetag/${key.toLowerCase()}`, value]);
}

/** Undefined for what is no connector of this account: the managed ones have no tags that anybody could set. */
async function tagsOfConnector(
  { db }: Store,
  accountId: string,
  resource: string,
): Promise<Readonly<Record<string, string>> | undefined> {
  const connector = parseConnectorArn(resource);
  if (connector.kind === "managed" || connector.kind === "public-port") return {};
  if (connector.kind !== "customer" || connector.account !== accountId) return undefined;
  const row = await findConnector(db, { accountId, region: connector.region }, { arn: resource });
  return row ? connectorTags(row) : {};
}
