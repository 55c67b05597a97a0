import type { ListTagsCommandInput, ListTagsCommandOutput } from "@aws-sdk/client-lambda-microvms";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { requireTaggable } from "./taggable.ts";

export function listTags({
  store,
}: Dependencies): Operation<ListTagsCommandInput, Omit<ListTagsCommandOutput, "$metadata">> {
  return async (input, context) => ({
    Tags: { ...(await requireTaggable(store.db, context, must(input.Resource, "a resource"))).tags },
  });
}
