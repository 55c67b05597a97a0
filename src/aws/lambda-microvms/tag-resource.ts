import type { TagResourceCommandInput } from "@aws-sdk/client-lambda-microvms";
import { ServiceFault } from "../../errors/service-fault.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { checkTags } from "../tag-rules.ts";
import { requireTaggable } from "./taggable.ts";

export function tagResource({ store }: Dependencies): Operation<TagResourceCommandInput, Record<string, never>> {
  return (input, context) =>
    store.db.transaction().execute(async (db) => {
      const resource = await requireTaggable(db, context, must(input.Resource, "a resource"));
      const given = must(input.Tags, "tags");
      checkTags(given, invalid);
      await resource.save(checkTags({ ...resource.tags, ...given }, invalid));
      return {};
    });
}

function invalid(message: string): ServiceFault {
  return new ServiceFault("InvalidParameterValueException", message, { members: { Type: "User" } });
}
