import type { UntagResourceCommandInput } from "@aws-sdk/client-lambda-microvms";
import { imageTags, setImageTags } from "../../store/image-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { requireTaggable } from "./image-lookup.ts";

export function untagResource({ store }: Dependencies): Operation<UntagResourceCommandInput, Record<string, never>> {
  return (input, context) =>
    store.db.transaction().execute(async (db) => {
      const image = await requireTaggable(db, context, must(input.Resource, "a resource"));
      const gone = new Set(must(input.TagKeys, "tag keys"));
      const kept = Object.entries(imageTags(image)).filter(([key]) => !gone.has(key));
      await setImageTags(db, image.arn, Object.fromEntries(kept));
      return {};
    });
}
