import { z } from "zod";
import { invalidSecretFile, readSecretFile } from "../auth/secret-file.ts";
import { createObjectReader } from "../aws/s3/object-reader.ts";
import type { ObjectReader } from "../build/artifact-source.ts";
import { createRemoteObjects, joinObjects } from "../build/remote-objects.ts";
import { AppError } from "../errors/app-error.ts";
import type { House } from "./house.ts";

const SETTING = "CATNAP_S3_CREDENTIALS";

const key = z.strictObject({
  accessKeyId: z.string().min(1),
  secretAccessKey: z.string().min(1),
  sessionToken: z.string().min(1).optional(),
});

/** Where builds read artifacts: this home's buckets, then another S3 where one is configured. */
export async function openArtifactObjects({ config, paths, store }: House): Promise<ObjectReader> {
  const own = createObjectReader({ store, objectsDirectory: paths.objects });
  const { s3Endpoint: endpoint, s3CredentialsFile: file, region } = config;
  if (endpoint === "") return own;
  if (file === "") {
    const message = `CATNAP_S3_ENDPOINT=${endpoint} needs a key: name the file that holds it in ${SETTING}`;
    throw new AppError("ERR_CONFIG_INVALID", { message });
  }
  const parsed = key.safeParse(await readSecretFile(SETTING, file));
  if (!parsed.success) throw invalidSecretFile(SETTING, file, { why: z.prettifyError(parsed.error) });
  return joinObjects([own, createRemoteObjects({ endpoint, region, key: parsed.data })]);
}
