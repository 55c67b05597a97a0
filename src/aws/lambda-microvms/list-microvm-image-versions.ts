import type {
  ListMicrovmImageVersionsCommandInput,
  ListMicrovmImageVersionsCommandOutput,
} from "@aws-sdk/client-lambda-microvms";
import { listVersions } from "../../store/version-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { requireImage } from "./image-lookup.ts";
import { versionView } from "./image-view.ts";
import { listPage, numericPosition } from "./list-page.ts";

export function listMicrovmImageVersions({
  store,
}: Dependencies): Operation<
  ListMicrovmImageVersionsCommandInput,
  Omit<ListMicrovmImageVersionsCommandOutput, "$metadata">
> {
  return async (input, context) => {
    const image = await requireImage(store.db, context, must(input.imageIdentifier, "an image"));
    const { items, nextToken } = await listPage(
      input,
      ["ListMicrovmImageVersions", image.arn, String(image.created_at)],
      ({ after, limit }) => listVersions(store.db, image.arn, { before: numericPosition(after), limit }),
      (row) => String(row.number),
    );
    return { items: items.map((row) => versionView(image, row)), nextToken };
  };
}
