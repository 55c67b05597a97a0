import type { UpdateMicrovmImageCommandInput, UpdateMicrovmImageCommandOutput } from "@aws-sdk/client-lambda-microvms";
import { parseImageArn } from "../../model/arn.ts";
import { parseImageVersion } from "../../model/ids.ts";
import { findImage, moveImage, setLastVersion } from "../../store/image-store.ts";
import { findVersion, latestVersions } from "../../store/version-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { buildSettings } from "./build-settings.ts";
import { requireConnectors } from "./connector-rules.ts";
import type { Dependencies } from "./dependencies.ts";
import { remember, replay, tokenUse } from "../client-token.ts";
import { tokenConflict } from "./faults.ts";
import { checkImageArn, requireImage } from "./image-lookup.ts";
import { busy, STABLE_IMAGE_STATES } from "./image-states.ts";
import { imageSummary } from "./image-view.ts";
import { insertPendingVersion } from "./new-version.ts";
import { checkBuildQuota, checkVersionQuota } from "./quota-rules.ts";

type Output = Omit<UpdateMicrovmImageCommandOutput, "$metadata">;

/** Always a new version from the request alone: nothing is inherited (contract 2.1). */
export function updateMicrovmImage({
  store,
  builds,
  isArchitectureStrict,
  quotas,
  now,
}: Dependencies): Operation<UpdateMicrovmImageCommandInput, Output> {
  return async (input, caller) => {
    const identifier = checkImageArn(must(input.imageIdentifier, "an image"));
    // an image is built in its own Region, whatever Region the client is set to
    const context = { ...caller, region: parseImageArn(identifier)?.region ?? caller.region };
    const settings = buildSettings(input, context, {
      only: isArchitectureStrict ? builds.target.architecture : undefined,
    });
    const use = tokenUse("UpdateMicrovmImage", input, context);
    const { response, buildId } = await store.db.transaction().execute(async (db) => {
      const at = now();
      const first = await replay<Output>(db, use, {
        now: at,
        // the version it speaks of may be deleted since, and its number is never used again
        stillExists: async ({ imageArn = "", imageVersion = "", createdAt }) =>
          (await findImage(db, context, imageArn))?.created_at === createdAt?.getTime() &&
          (await findVersion(db, imageArn, parseImageVersion(imageVersion) ?? 0)) !== undefined,
        conflict: tokenConflict,
      });
      if (first) return { response: first, buildId: undefined };
      const image = await requireImage(db, context, identifier);
      await requireConnectors(db, settings.egressNetworkConnectors);
      if (!(await moveImage(db, image.arn, { from: STABLE_IMAGE_STATES, to: "UPDATING", at }))) throw busy(image);
      await checkVersionQuota(db, quotas, image.arn);
      await checkBuildQuota(db, quotas, { accountId: image.account_id, region: image.region });
      const number = image.last_version + 1;
      await setLastVersion(db, image.arn, number);
      const made = await insertPendingVersion(db, { imageArn: image.arn, number, settings, at }, builds.target);
      const latest = await latestVersions(db, [image.arn]);
      const answer: Output = {
        ...imageSummary({ ...image, state: "UPDATING" }, latest.get(image.arn)),
        ...settings,
        updatedAt: new Date(at),
        imageVersion: made.version,
      };
      await remember(db, use, answer, at);
      return { response: answer, buildId: made.buildId };
    });
    if (buildId !== undefined) builds.enqueue(buildId);
    return response;
  };
}
