import type { UntagResourceCommandInput } from "@aws-sdk/client-lambda-microvms";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { requireTaggable } from "./taggable.ts";

export function untagResource({ store }: Dependencies): Operation<UntagResourceCommandInput, Record<string, never>> {
  return (input, context) =>
    store.db.transaction().execute(async (db) => {
      const resource = await requireTaggable(db, context, must(input.Resource, "a resource"));
      const gone = new Set(must(input.TagKeys, "tag keys"));
      const kept = Object.entries(resource.tags).filter(([key]) => !gone.has(key));
      await resource.save(Object.fromEntries(kept));
      return {};
    });
}
