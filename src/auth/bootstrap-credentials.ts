import { chmod, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { AppError } from "../errors/app-error.ts";
import { writeFileDurably } from "../util/write-file-durably.ts";
import { newAccessKey } from "./access-key.ts";
import type { CredentialStore } from "./credentials.ts";

export interface BootstrapKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Where the key is kept, readable by its owner only. */
  readonly file: string;
}

const keySchema = z.object({
  accessKeyId: z.string().regex(/^AKIA[A-Z2-7]{16}$/),
  secretAccessKey: z.string().regex(/^[A-Za-z0-9+/]{40}$/),
});

/** The one key of a fresh installation: made once, kept in `<home>/credentials.json`, allowed everything in its account. */
export async function openBootstrapCredentials(
  home: string,
  accountId: string,
): Promise<{ store: CredentialStore; key: BootstrapKey }> {
  await mkdir(home, { recursive: true });
  const file = join(home, "credentials.json");
  const { accessKeyId, secretAccessKey } = (await readKey(file)) ?? (await makeKey(file));
  const credential = {
    secretAccessKey,
    principal: { arn: `arn:aws:iam::${accountId}:root`, accountId, accessKeyId, isAdministrator: true },
  };
  return {
    store: { lookup: async (id) => (id === accessKeyId ? credential : undefined) },
    key: { accessKeyId, secretAccessKey, file },
  };
}

async function readKey(file: string): Promise<z.infer<typeof keySchema> | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
    await chmod(file, 0o600); // a copy restored from a backup may have lost its mode
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw cause;
  }
  try {
    return keySchema.parse(JSON.parse(text));
  } catch (cause) {
    const message = `${file} does not hold an access key; restore it, or delete it to get a new one`;
    throw new AppError("ERR_CONFIG_INVALID", { message, cause });
  }
}

async function makeKey(file: string): Promise<z.infer<typeof keySchema>> {
  const key = newAccessKey("AKIA");
  await writeFileDurably(file, `${JSON.stringify(key, undefined, 2)}\n`, 0o600);
  return key;
}
