import type { GetMicrovmImageCommandInput, GetMicrovmImageCommandOutput } from "@aws-sdk/client-lambda-microvms";
import { imageTags } from "../../store/image-store.ts";
import { latestVersions } from "../../store/version-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { requireImage } from "./image-lookup.ts";
import { imageSummary, optionalDate } from "./image-view.ts";

export function getMicrovmImage({
  store,
}: Dependencies): Operation<GetMicrovmImageCommandInput, Omit<GetMicrovmImageCommandOutput, "$metadata">> {
  return async (input, context) => {
    const image = await requireImage(store.db, context, must(input.imageIdentifier, "an image"));
    const latest = await latestVersions(store.db, [image.arn]);
    return {
      ...imageSummary(image, latest.get(image.arn)),
      tags: imageTags(image),
      ...optionalDate("updatedAt", image.updated_at),
    };
  };
}
