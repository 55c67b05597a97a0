import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { AppError } from "../errors/app-error.ts";
import { writeFileDurably } from "../util/write-file-durably.ts";

/** IMDSv2: six hours at most. */
export const MAX_TOKEN_SECONDS = 21_600;

const KEY_BYTES = 32;
const EXPIRY_BYTES = 8;
const NONCE_BYTES = 8;
const MAC_BYTES = 26; // with the rest 42 bytes: 56 characters, as the service's tokens are

/**
 * Session tokens of the metadata service. They hold their own end, so nothing is kept of them, and they are good for one
 * microVM alone: a token that got into a snapshot opens nothing for its clones.
 */
export interface MetadataTokens {
  mint(microvmId: string, seconds: number): string;
  isValid(microvmId: string, token: string): boolean;
}

/** With the key of a file, which is made on first use: tokens outlive the server. */
export async function openMetadataTokens(keyFile: string, now: () => number = Date.now): Promise<MetadataTokens> {
  const key = (await readKey(keyFile)) ?? (await makeKey(keyFile));
  return metadataTokens(key, now);
}

export function metadataTokens(key: Buffer, now: () => number = Date.now): MetadataTokens {
  const mac = (microvmId: string, head: Buffer) =>
    createHmac("sha256", key).update(head).update(microvmId).digest().subarray(0, MAC_BYTES);
  return {
    mint(microvmId, seconds) {
      const head = Buffer.concat([Buffer.alloc(EXPIRY_BYTES), randomBytes(NONCE_BYTES)]);
      head.writeBigUInt64BE(BigInt(now() + seconds * 1000));
      return Buffer.concat([head, mac(microvmId, head)]).toString("base64url");
    },
    isValid(microvmId, token) {
      const bytes = Buffer.from(token, "base64url");
      if (bytes.length !== EXPIRY_BYTES + NONCE_BYTES + MAC_BYTES || bytes.toString("base64url") !== token)
        return false;
      const head = bytes.subarray(0, EXPIRY_BYTES + NONCE_BYTES);
      const isGenuine = timingSafeEqual(bytes.subarray(head.length), mac(microvmId, head));
      return isGenuine && head.readBigUInt64BE() > BigInt(now());
    },
  };
}

async function readKey(file: string): Promise<Buffer | undefined> {
  const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined;
    throw cause;
  });
  if (text === undefined) return undefined;
  const key = Buffer.from(text.trim(), "base64url");
  if (key.length === KEY_BYTES) return key;
  const message = `${file} is not a key of metadata tokens. Remove it: a new key is made, and guests ask for new tokens by themselves.`;
  throw new AppError("ERR_CONFIG_INVALID", { message });
}

async function makeKey(file: string): Promise<Buffer> {
  const key = randomBytes(KEY_BYTES);
  await mkdir(dirname(file), { recursive: true, mode: 0o755 });
  await writeFileDurably(file, `${key.toString("base64url")}\n`, 0o600);
  return key;
}
