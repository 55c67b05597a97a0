import type {
  ListManagedMicrovmImageVersionsCommandInput,
  ListManagedMicrovmImageVersionsCommandOutput,
} from "@aws-sdk/client-lambda-microvms";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { imageNotFound } from "./faults.ts";
import { checkImageArn } from "./image-lookup.ts";
import { listPage, numericPosition } from "./list-page.ts";
import { isManagedImage, MANAGED_VERSIONS } from "./managed-images.ts";

export function listManagedMicrovmImageVersions(): Operation<
  ListManagedMicrovmImageVersionsCommandInput,
  Omit<ListManagedMicrovmImageVersionsCommandOutput, "$metadata">
> {
  return async (input, { accountId, region }) => {
    const imageArn = checkImageArn(must(input.imageIdentifier, "an image"));
    if (!isManagedImage(imageArn, region)) throw imageNotFound(imageArn);
    const { items, nextToken } = await listPage(
      input,
      ["ListManagedMicrovmImageVersions", accountId, imageArn],
      async ({ after, limit }) => {
        const before = numericPosition(after) ?? Number.POSITIVE_INFINITY;
        return MANAGED_VERSIONS.filter(({ version }) => Number(version) < before).slice(0, limit);
      },
      ({ version }) => version,
    );
    const view = items.map(({ version, createdAt }) => ({
      imageArn,
      imageVersion: version,
      status: "AVAILABLE" as const,
      createdAt,
      updatedAt: createdAt,
    }));
    return { items: view, nextToken };
  };
}
