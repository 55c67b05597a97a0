import type {
  DeleteMicrovmImageVersionCommandInput,
  DeleteMicrovmImageVersionCommandOutput,
} from "@aws-sdk/client-lambda-microvms";
import { moveImage } from "../../store/image-store.ts";
import { countVersions, setVersionState } from "../../store/version-store.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { imageConflict, validation } from "./faults.ts";
import { isImageInUse, requireVersion } from "./image-lookup.ts";
import { busy, STABLE_IMAGE_STATES } from "./image-states.ts";

export function deleteMicrovmImageVersion({
  store,
  builds,
  imageUse,
  now,
}: Dependencies): Operation<
  DeleteMicrovmImageVersionCommandInput,
  Omit<DeleteMicrovmImageVersionCommandOutput, "$metadata">
> {
  return async (input, context) => {
    const key = await store.db.transaction().execute(async (db) => {
      const { image, version } = await requireVersion(
        db,
        context,
        input as { imageIdentifier: string; imageVersion: string },
      );
      const found = { imageArn: image.arn, version: version.version };
      if (version.state === "DELETING") return found;
      if (!(await moveImage(db, image.arn, { from: STABLE_IMAGE_STATES, to: "UPDATING", at: now() })))
        throw busy(image);
      if ((await countVersions(db, image.arn)) <= 1)
        throw validation("This is the last version. Please delete the entire image");
      if (await isImageInUse(db, imageUse, found)) {
        throw imageConflict(image.arn, "Cannot delete MicroVM image version with running MicroVMs");
      }
      await setVersionState(db, found, { state: "DELETING", status: "INACTIVE", at: now() });
      return found;
    });
    builds.removeVersion(key);
    return { imageIdentifier: key.imageArn, imageVersion: key.version, state: "DELETING" };
  };
}
