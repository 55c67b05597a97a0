import { readFile, stat } from "node:fs/promises";
import { AppError } from "../errors/app-error.ts";

/** The JSON of a file with secrets that a setting names; ERR_CONFIG_INVALID when others than its owner may read it. */
export async function readSecretFile(setting: string, file: string): Promise<unknown> {
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0)
      throw invalidSecretFile(setting, file, { why: "others than its owner may read it; run chmod 600 on it" });
    return JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    // JSON.parse quotes what it read, which may be a secret
    if (cause instanceof SyntaxError) throw invalidSecretFile(setting, file, { why: "it is not JSON" });
    throw invalidSecretFile(setting, file, { why: "it cannot be read", cause });
  }
}

export function invalidSecretFile(setting: string, file: string, of: { why: string; cause?: unknown }): AppError {
  return new AppError("ERR_CONFIG_INVALID", { message: `${setting}: ${file}: ${of.why}`, cause: of.cause });
}
