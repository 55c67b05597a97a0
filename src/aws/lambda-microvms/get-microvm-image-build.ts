import type {
  GetMicrovmImageBuildCommandInput,
  GetMicrovmImageBuildCommandOutput,
} from "@aws-sdk/client-lambda-microvms";
import { ServiceFault } from "../../errors/service-fault.ts";
import { findBuild } from "../../store/build-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { buildSummary, snapshotBuild } from "./build-view.ts";
import type { Dependencies } from "./dependencies.ts";
import { requireVersion } from "./image-lookup.ts";

export function getMicrovmImageBuild({
  store,
}: Dependencies): Operation<GetMicrovmImageBuildCommandInput, Omit<GetMicrovmImageBuildCommandOutput, "$metadata">> {
  return async (input, context) => {
    const { image, version } = await requireVersion(
      store.db,
      context,
      input as { imageIdentifier: string; imageVersion: string },
    );
    const buildId = must(input.buildId, "a build id");
    const build = await findBuild(store.db, buildId);
    if (build?.image_arn !== image.arn || build.version !== version.version) {
      throw new ServiceFault(
        "ResourceNotFoundException",
        `Build ${buildId} not found for version ${version.version} of MicroVMImageID: ${image.arn}`,
        {
          members: { resourceId: buildId, resourceType: "MicroVMImageBuild" },
        },
      );
    }
    return { ...buildSummary(build), snapshotBuild: snapshotBuild(build) };
  };
}
