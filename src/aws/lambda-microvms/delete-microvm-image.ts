import type { DeleteMicrovmImageCommandInput, DeleteMicrovmImageCommandOutput } from "@aws-sdk/client-lambda-microvms";
import { moveImage } from "../../store/image-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { imageConflict, validation } from "./faults.ts";
import { isImageInUse, requireImage } from "./image-lookup.ts";
import { STABLE_IMAGE_STATES } from "./image-states.ts";

export function deleteMicrovmImage({
  store,
  builds,
  imageUse,
  now,
}: Dependencies): Operation<DeleteMicrovmImageCommandInput, Omit<DeleteMicrovmImageCommandOutput, "$metadata">> {
  return async (input, context) => {
    const imageArn = await store.db.transaction().execute(async (db) => {
      const { arn, state } = await requireImage(db, context, must(input.imageIdentifier, "an image"));
      if (state === "DELETING") return arn;
      if (!(await moveImage(db, arn, { from: STABLE_IMAGE_STATES, to: "DELETING", at: now() }))) {
        throw validation(`Cannot delete MicroVM image in its current state: ${arn}`);
      }
      if (await isImageInUse(db, imageUse, { imageArn: arn })) {
        throw imageConflict(arn, "Cannot delete MicroVM image with running MicroVMs");
      }
      return arn;
    });
    builds.removeImage(imageArn);
    return { imageIdentifier: imageArn, state: "DELETING" };
  };
}
