import type { ListTagsCommandInput, ListTagsCommandOutput } from "@aws-sdk/client-lambda-microvms";
import { imageTags } from "../../store/image-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { requireTaggable } from "./image-lookup.ts";

export function listTags({
  store,
}: Dependencies): Operation<ListTagsCommandInput, Omit<ListTagsCommandOutput, "$metadata">> {
  return async (input, context) => ({
    Tags: imageTags(await requireTaggable(store.db, context, must(input.Resource, "a resource"))),
  });
}
