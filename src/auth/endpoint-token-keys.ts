import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { AppError } from "../errors/app-error.ts";
import { writeFileDurably } from "../util/write-file-durably.ts";

/** One key of endpoint tokens. */
export interface EndpointTokenKey {
  readonly kid: string;
  /** 32 bytes. */
  readonly secret: Uint8Array;
}

const KEY_BYTES = 32;

const keyFile = z.object({
  /** Newest first: the first mints, all open, so an older key stays until its tokens have expired. */
  keys: z.array(z.object({ kid: z.uuid(), key: z.base64url().length(43), createdAt: z.iso.datetime() })).min(1),
});

/** Reads the keys of endpoint tokens, newest first; makes the first key and its file (0600) when there is none. */
export async function openEndpointTokenKeys(path: string): Promise<readonly EndpointTokenKey[]> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return [await makeFirstKey(path)];
  try {
    return keyFile.parse(JSON.parse(text)).keys.map(({ kid, key }) => ({ kid, secret: Buffer.from(key, "base64url") }));
  } catch (cause) {
    const message = `${path} is not a list of endpoint token keys. Restore it, or remove it: new keys are made then, and every endpoint token minted so far ends.`;
    throw new AppError("ERR_CONFIG_INVALID", { message, cause });
  }
}

async function makeFirstKey(path: string): Promise<EndpointTokenKey> {
  const key = { kid: randomUUID(), secret: randomBytes(KEY_BYTES) };
  const entry = { kid: key.kid, key: key.secret.toString("base64url"), createdAt: new Date().toISOString() };
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await writeFileDurably(path, `${JSON.stringify({ keys: [entry] }, null, 2)}\n`, 0o600);
  return key;
}
