import type { Guest } from "./guest-directory.ts";
import type { RoleCredentials } from "./role-credentials.ts";

/** Name under which an SDK finds the credentials, whatever the role is called (contract 9). */
export const ROLE_NAME = "execution_role";

export interface MetadataSources {
  readonly credentials: (guest: Guest) => Promise<RoleCredentials>;
  readonly now: () => Date;
}

/** A leaf's text, or the names below a folder. */
export type MetadataNode = string | readonly string[];

/**
 * What a guest may ask about itself. The service documents the credentials alone; the rest is what SDKs and tools look
 * for on any instance. Undefined for a path that leads nowhere.
 */
export async function readMetadata(
  path: readonly string[],
  guest: Guest,
  sources: MetadataSources,
): Promise<MetadataNode | undefined> {
  const key = path.join("/");
  const { region } = guest;
  const hasRole = guest.executionRoleArn !== undefined;
  const tree: Readonly<Record<string, MetadataNode>> = {
    "": ["dynamic", "meta-data"],
    "meta-data": [...(hasRole ? ["iam/"] : []), "instance-id", "placement/", "services/"],
    "meta-data/instance-id": guest.microvmId,
    "meta-data/placement": ["availability-zone", "region"],
    "meta-data/placement/region": region,
    "meta-data/placement/availability-zone": `${region}a`,
    "meta-data/services": ["domain", "partition"],
    "meta-data/services/domain": "amazonaws.com",
    "meta-data/services/partition": "aws",
    dynamic: ["instance-identity/"],
    "dynamic/instance-identity": ["document"],
    "dynamic/instance-identity/document": identityDocument(guest),
    ...(hasRole && { "meta-data/iam": ["security-credentials/"], "meta-data/iam/security-credentials": [ROLE_NAME] }),
  };
  if (hasRole && key === `meta-data/iam/security-credentials/${ROLE_NAME}`) return credentialsDocument(guest, sources);
  return Object.hasOwn(tree, key) ? tree[key] : undefined;
}

function identityDocument({ accountId, region, microvmId }: Guest): string {
  return JSON.stringify({ accountId, availabilityZone: `${region}a`, instanceId: microvmId, region }, undefined, 2);
}

/** A role that cannot be assumed is told in the document, where SDKs look for it. */
async function credentialsDocument(guest: Guest, { credentials, now }: MetadataSources): Promise<string> {
  const found = await credentials(guest);
  const document =
    "refused" in found
      ? { Code: "AssumeRoleUnauthorizedAccess", Message: found.refused, LastUpdated: isoSeconds(now()) }
      : {
          Code: "Success",
          LastUpdated: isoSeconds(found.issuedAt),
          Type: "AWS-HMAC",
          AccessKeyId: found.accessKeyId,
          SecretAccessKey: found.secretAccessKey,
          Token: found.sessionToken,
          Expiration: isoSeconds(found.expiresAt),
        };
  return JSON.stringify(document, undefined, 2);
}

function isoSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, "Z");
}
