import type { Kysely } from "kysely";
import type { ImageUse } from "../../images/image-use.ts";
import { parseImageArn } from "../../model/arn.ts";
import { parseImageVersion } from "../../model/ids.ts";
import { countLiveMicrovms, findImage, type ImageOwner, type ImageRow } from "../../store/image-store.ts";
import type { Database } from "../../store/tables.ts";
import { findVersion, type VersionRow } from "../../store/version-store.ts";
import { imageNotFound, validation, versionNotFound } from "./faults.ts";

/** Only ARNs name an image; a bare name is refused as the service does (contract 2.4). */
export function checkImageArn(identifier: string): string {
  if (!parseImageArn(identifier)) throw validation(`Invalid ARN format: ${identifier}`);
  return identifier;
}

export async function requireImage(db: Kysely<Database>, owner: ImageOwner, identifier: string): Promise<ImageRow> {
  const row = await findImage(db, owner, checkImageArn(identifier));
  if (!row) throw imageNotFound(identifier);
  return row;
}

export async function requireVersion(
  db: Kysely<Database>,
  owner: ImageOwner,
  { imageIdentifier, imageVersion }: { imageIdentifier: string; imageVersion: string },
): Promise<{ image: ImageRow; version: VersionRow }> {
  const image = await requireImage(db, owner, imageIdentifier);
  const number = parseImageVersion(imageVersion);
  const version = number === undefined ? undefined : await findVersion(db, image.arn, number);
  if (!version) throw versionNotFound(image.arn, imageVersion);
  return { image, version };
}

/**
 * Whether microVMs that are not TERMINATED, or runs under way, need the image. Ask inside the transaction that closes
 * the image to new runs: a run looks the image up after `imageUse.begin` and cannot slip between.
 */
export async function isImageInUse(
  db: Kysely<Database>,
  imageUse: ImageUse,
  of: { imageArn: string; version?: string },
): Promise<boolean> {
  return imageUse.count(of.imageArn) > 0 || (await countLiveMicrovms(db, of)) > 0;
}
