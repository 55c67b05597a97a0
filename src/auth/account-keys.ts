import { createHash } from "node:crypto";
import { z } from "zod";
import type { AppError } from "../errors/app-error.ts";
import type { Credential, CredentialStore } from "./credentials.ts";
import { parsePolicy } from "./policy-document.ts";
import type { NamedPolicy } from "./policy.ts";
import { invalidSecretFile, readSecretFile } from "./secret-file.ts";

const SETTING = "CATNAP_ACCOUNTS";
/** Name of the user that is the account itself and may do everything in it. */
const ROOT = "root";

const key = z.strictObject({
  // ASIA is kept for temporary credentials
  accessKeyId: z.string().regex(/^(?!ASIA)[A-Z0-9]{16,128}$/, "16 to 128 capital letters and digits, not ASIA…"),
  secretAccessKey: z.string().min(16).max(128),
});

const user = z.strictObject({
  name: z.string().regex(/^[\w+=,.@-]{1,64}$/),
  keys: z.array(key).max(10),
  /** Policy documents by name; the root has and needs none. */
  policies: z.record(z.string().min(1).max(128), z.unknown()).default({}),
});

const accountsFile = z.strictObject({
  accounts: z.array(z.strictObject({ accountId: z.string().regex(/^\d{12}$/), users: z.array(user) })),
});

type User = z.output<typeof user>;

/** Access keys of further accounts and users, from a JSON file (docs/permissions.md); "" for none. */
export async function openAccountKeys(file: string): Promise<CredentialStore> {
  const keys = file === "" ? new Map<string, Credential>() : await readKeys(file);
  return { lookup: async (accessKeyId) => keys.get(accessKeyId) };
}

async function readKeys(file: string): Promise<Map<string, Credential>> {
  const parsed = accountsFile.safeParse(await readSecretFile(SETTING, file));
  if (!parsed.success) throw invalid(file, z.prettifyError(parsed.error));
  const keys = new Map<string, Credential>();
  for (const { accountId, users } of parsed.data.accounts) {
    for (const each of users) {
      for (const [accessKeyId, credential] of credentialsOf(file, accountId, each)) {
        if (keys.has(accessKeyId)) throw invalid(file, `the access key ${accessKeyId} is listed twice`);
        keys.set(accessKeyId, credential);
      }
    }
  }
  return keys;
}

function credentialsOf(file: string, accountId: string, of: User): [string, Credential][] {
  const isRoot = of.name === ROOT;
  if (isRoot && Object.keys(of.policies).length > 0) throw invalid(file, "the root of an account takes no policies");
  const arn = `arn:aws:iam::${accountId}:${isRoot ? "root" : `user/${of.name}`}`;
  const policies = Object.entries(of.policies).map(([name, document]) => readPolicy(file, of.name, name, document));
  return of.keys.map(({ accessKeyId, secretAccessKey }) => [
    accessKeyId,
    {
      secretAccessKey,
      principal: {
        arn,
        accountId,
        accessKeyId,
        isAdministrator: isRoot,
        ...(!isRoot && { identity: { kind: "user" as const, name: of.name, userId: userIdOf(arn), policies } }),
      },
    },
  ]);
}

/** Looks like IAM's, and follows from the ARN: the file has no ids. */
function userIdOf(arn: string): string {
  const digits = BigInt(`0x${createHash("sha256").update(arn).digest("hex")}`)
    .toString(36)
    .toUpperCase();
  return `AIDA${digits.slice(-17)}`;
}

function readPolicy(file: string, userName: string, name: string, document: unknown): NamedPolicy {
  try {
    return {
      name: `policy "${name}" of user ${userName}`,
      document: parsePolicy(JSON.stringify(document), "identity"),
    };
  } catch (cause) {
    throw invalid(file, `policy "${name}" of user ${userName}: ${cause instanceof Error ? cause.message : ""}`, cause);
  }
}

function invalid(file: string, why: string, cause?: unknown): AppError {
  return invalidSecretFile(SETTING, file, { why, cause });
}
