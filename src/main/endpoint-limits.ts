import { DEFAULT_MEMORY_MIB, sizeTier } from "../model/sizes.ts";
import type { TierOf } from "../proxy/microvm-limits.ts";
import type { House } from "./house.ts";

interface StoredSettings {
  readonly resources?: readonly { readonly minimumMemoryInMiB: number }[];
}

/** Finds the size that a microVM's image version asks for; undefined where limits are off. */
export function endpointLimits({ config, store }: House): TierOf | undefined {
  if (config.endpointLimits === "off") return undefined;
  return async (microvmId) => {
    const row = await store.db
      .selectFrom("microvms")
      .innerJoin("image_versions", (join) =>
        join
          .onRef("image_versions.image_arn", "=", "microvms.image_arn")
          .onRef("image_versions.version", "=", "microvms.image_version"),
      )
      .select("image_versions.request_json")
      .where("microvms.id", "=", microvmId)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const { resources } = JSON.parse(row.request_json) as StoredSettings;
    return sizeTier(resources?.[0]?.minimumMemoryInMiB ?? DEFAULT_MEMORY_MIB);
  };
}
