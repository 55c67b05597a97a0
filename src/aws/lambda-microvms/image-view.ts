import type { GetMicrovmImageVersionCommandOutput } from "@aws-sdk/client-lambda-microvms";
import { imageTags, type ImageRow } from "../../store/image-store.ts";
import type { LatestVersions, VersionRow } from "../../store/version-store.ts";
import type { BuildSettings } from "./build-settings.ts";

/** Members of an image in summaries and GetMicrovmImage. */
export function imageSummary(row: ImageRow, latest: LatestVersions | undefined) {
  return {
    imageArn: row.arn,
    name: row.name,
    state: row.state,
    ...(latest?.active !== undefined && { latestActiveImageVersion: latest.active }),
    ...(latest?.failed !== undefined && { latestFailedImageVersion: latest.failed }),
    createdAt: new Date(row.created_at),
  };
}

export function optionalDate<K extends string>(name: K, at: number | null): { readonly [N in K]?: Date } {
  return at === null ? {} : ({ [name]: new Date(at) } as { [N in K]: Date });
}

/** A version in full: GetMicrovmImageVersion, its summary and UpdateMicrovmImageVersion read the same. */
export function versionView(image: ImageRow, row: VersionRow): Omit<GetMicrovmImageVersionCommandOutput, "$metadata"> {
  const tags = imageTags(image);
  return {
    ...versionSettings(row),
    imageArn: image.arn,
    imageVersion: row.version,
    state: row.state,
    status: row.status,
    createdAt: new Date(row.created_at),
    ...optionalDate("updatedAt", row.updated_at),
    ...(row.state_reason !== null && { stateReason: row.state_reason }),
    ...(Object.keys(tags).length > 0 && { tags }),
  };
}

export function versionSettings(row: VersionRow): BuildSettings {
  return JSON.parse(row.request_json) as BuildSettings;
}
