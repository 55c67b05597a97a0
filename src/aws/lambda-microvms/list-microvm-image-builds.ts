import type {
  ListMicrovmImageBuildsCommandInput,
  ListMicrovmImageBuildsCommandOutput,
} from "@aws-sdk/client-lambda-microvms";
import { listBuilds } from "../../store/build-store.ts";
import type { Operation } from "../service.ts";
import { buildSummary } from "./build-view.ts";
import type { Dependencies } from "./dependencies.ts";
import { requireVersion } from "./image-lookup.ts";
import { listPage } from "./list-page.ts";

export function listMicrovmImageBuilds({
  store,
}: Dependencies): Operation<
  ListMicrovmImageBuildsCommandInput,
  Omit<ListMicrovmImageBuildsCommandOutput, "$metadata">
> {
  return async (input, context) => {
    const { image, version } = await requireVersion(
      store.db,
      context,
      input as { imageIdentifier: string; imageVersion: string },
    );
    const of = { imageArn: image.arn, version: version.version };
    const { items, nextToken } = await listPage(
      input,
      ["ListMicrovmImageBuilds", of.imageArn, of.version, String(version.created_at)],
      (page) => listBuilds(store.db, of, page),
      (row) => row.build_id,
    );
    const { architecture, chipset, chipsetGeneration } = input;
    const wanted = items
      .map(buildSummary)
      .filter((build) => architecture === undefined || build.architecture === architecture)
      .filter((build) => chipset === undefined || build.chipset === chipset)
      .filter((build) => chipsetGeneration === undefined || build.chipsetGeneration === chipsetGeneration);
    return { items: wanted, nextToken };
  };
}
