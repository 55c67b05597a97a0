import type {
  UpdateMicrovmImageVersionCommandInput,
  UpdateMicrovmImageVersionCommandOutput,
} from "@aws-sdk/client-lambda-microvms";
import { findVersion, setVersionState } from "../../store/version-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { validation } from "./faults.ts";
import { requireVersion } from "./image-lookup.ts";
import { busy, STABLE_IMAGE_STATES } from "./image-states.ts";
import { versionView } from "./image-view.ts";

export function updateMicrovmImageVersion({
  store,
  now,
}: Dependencies): Operation<
  UpdateMicrovmImageVersionCommandInput,
  Omit<UpdateMicrovmImageVersionCommandOutput, "$metadata">
> {
  return (input, context) =>
    store.db.transaction().execute(async (db) => {
      const { image, version } = await requireVersion(
        db,
        context,
        input as { imageIdentifier: string; imageVersion: string },
      );
      const status = must(input.status, "a status");
      if (!STABLE_IMAGE_STATES.includes(image.state)) throw busy(image);
      if (status === "ACTIVE" && version.state !== "SUCCESSFUL") {
        throw validation(
          `Version ${version.version} of MicroVM image ${image.arn} cannot become ACTIVE: its state is ${version.state}`,
        );
      }
      await setVersionState(db, { imageArn: image.arn, version: version.version }, { status, at: now() });
      return versionView(image, must(await findVersion(db, image.arn, version.number), "the version just changed"));
    });
}
