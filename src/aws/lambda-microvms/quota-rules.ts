import type { Kysely } from "kysely";
import { ServiceFault } from "../../errors/service-fault.ts";
import { QUOTA_CODES, QUOTA_SERVICE_CODE, RATE_CODES, type Quotas } from "../../model/quotas.ts";
import type { ImageOwner } from "../../store/image-store.ts";
import { countImages, countUnfinishedBuilds, sumMemoryMiB } from "../../store/quota-store.ts";
import type { Database } from "../../store/tables.ts";
import { countVersions } from "../../store/version-store.ts";

/* Contract 13. Each is asked in the transaction that adds to what it counts, so that calls at once cannot pass together. */

const MIB_PER_GB = 1024;

export async function checkImageQuota(db: Kysely<Database>, quotas: Quotas, owner: ImageOwner): Promise<void> {
  const { images: limit } = quotas;
  if (limit === undefined || (await countImages(db, owner)) < limit) return;
  throw exceeded("images", `The maximum number of MicroVM images (${limit}) has been reached for this account.`);
}

export async function checkVersionQuota(db: Kysely<Database>, quotas: Quotas, imageArn: string): Promise<void> {
  const { versionsPerImage: limit } = quotas;
  if (limit === undefined || (await countVersions(db, imageArn)) < limit) return;
  throw exceeded(
    "versionsPerImage",
    `The maximum number of versions (${limit}) has been reached for MicroVM image ${imageArn}.`,
    { resourceId: imageArn, resourceType: "MicroVMImage" },
  );
}

export async function checkBuildQuota(db: Kysely<Database>, quotas: Quotas, owner: ImageOwner): Promise<void> {
  const { concurrentBuilds: limit } = quotas;
  if (limit === undefined || (await countUnfinishedBuilds(db, owner)) < limit) return;
  throw exceeded(
    "concurrentBuilds",
    `The maximum number of concurrent builds (${limit}) has been reached for this account.`,
  );
}

/** Asked after the new microVM is on record, and takes it back by throwing. */
export async function checkMemoryQuota(db: Kysely<Database>, quotas: Quotas, owner: ImageOwner): Promise<void> {
  const { memoryGB: limit } = quotas;
  if (limit === undefined || (await sumMemoryMiB(db, owner)) <= limit * MIB_PER_GB) return;
  throw exceeded("memoryGB", "The base maximum allocated memory limit has been reached for this account.");
}

function exceeded(quota: keyof typeof QUOTA_CODES, message: string, of: Record<string, string> = {}): ServiceFault {
  return new ServiceFault("ServiceQuotaExceededException", message, {
    members: { serviceCode: QUOTA_SERVICE_CODE, quotaCode: QUOTA_CODES[quota], ...of },
  });
}

export function throttled(operation: string, retryAfterSeconds: number): ServiceFault {
  return new ServiceFault("ThrottlingException", "Rate exceeded", {
    members: { serviceCode: QUOTA_SERVICE_CODE, quotaCode: RATE_CODES[operation], retryAfterSeconds },
  });
}
