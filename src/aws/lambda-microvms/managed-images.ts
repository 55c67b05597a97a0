import { imageArn, parseImageArn } from "../../model/arn.ts";
import { validation } from "./faults.ts";

/* The one managed base image of the service and its versions, dates as seen there in 2026 (contract 2.1). */

const NAME = "al2023-1";

export interface ManagedVersion {
  /** A bare integer in lists; `1.0` when read back from an image version. */
  readonly version: string;
  readonly createdAt: Date;
}

/** Newest first. */
export const MANAGED_VERSIONS: readonly ManagedVersion[] = [
  { version: "1", createdAt: new Date("2026-07-21T00:00:00Z") },
  { version: "0", createdAt: new Date("2026-06-17T00:00:00Z") },
];

export const MANAGED_CREATED_AT = new Date("2026-06-17T00:00:00Z");
export const MANAGED_UPDATED_AT = new Date("2026-07-21T00:00:00Z");

export function managedImageArn(region: string): string {
  return imageArn({ region, account: "aws", name: NAME });
}

export function isManagedImage(arn: string, region: string): boolean {
  return arn === managedImageArn(region);
}

/** The version of a base image to build on, as it reads back ("1.0"); the newest when none is named. */
export function resolveBaseVersion(base: { arn: string; version?: string; region: string }): string {
  if (!parseImageArn(base.arn)) throw validation(`Invalid ARN format: ${base.arn}`);
  const wanted = base.version?.replace(/\.0$/, "");
  const found = isManagedImage(base.arn, base.region)
    ? MANAGED_VERSIONS.find(({ version }) => wanted === undefined || version === wanted)
    : undefined;
  if (!found) {
    const which = base.version === undefined ? "" : ` and version ${base.version}`;
    throw validation(`No managed MicroVM Image with arn ${base.arn}${which} is available`);
  }
  return `${found.version}.0`;
}
