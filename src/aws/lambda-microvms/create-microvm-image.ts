import type { CreateMicrovmImageCommandInput, CreateMicrovmImageCommandOutput } from "@aws-sdk/client-lambda-microvms";
import { imageArn } from "../../model/arn.ts";
import { findImage, insertImage } from "../../store/image-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { buildSettings } from "./build-settings.ts";
import { requireConnectors } from "./connector-rules.ts";
import type { Dependencies } from "./dependencies.ts";
import { tokenConflict, validation } from "./faults.ts";
import { remember, replay, tokenUse } from "../client-token.ts";
import { insertPendingVersion } from "./new-version.ts";
import { checkBuildQuota, checkImageQuota } from "./quota-rules.ts";
import { checkTags } from "../tag-rules.ts";

type Output = Omit<CreateMicrovmImageCommandOutput, "$metadata">;

export function createMicrovmImage({
  store,
  builds,
  isArchitectureStrict,
  quotas,
  now,
}: Dependencies): Operation<CreateMicrovmImageCommandInput, Output> {
  return async (input, context) => {
    const { accountId, region } = context;
    const name = must(input.name, "an image name");
    const settings = buildSettings(input, context, {
      only: isArchitectureStrict ? builds.target.architecture : undefined,
    });
    const tags = checkTags(input.tags ?? {}, validation);
    const arn = imageArn({ region, account: accountId, name });
    const use = tokenUse("CreateMicrovmImage", input, context);
    const { response, buildId } = await store.db.transaction().execute(async (db) => {
      const at = now();
      const existing = await findImage(db, { accountId }, arn);
      const first = await replay<Output>(db, use, {
        now: at,
        // an image of the same name made later is another one
        stillExists: async ({ imageArn: made, createdAt }) => {
          const row = await findImage(db, { accountId }, made ?? "");
          return row?.created_at === createdAt?.getTime();
        },
        conflict: tokenConflict,
      });
      if (first) return { response: first, buildId: undefined };
      await requireConnectors(db, settings.egressNetworkConnectors);
      if (existing) {
        throw validation(
          `A MicroVM image with the name '${name}' already exists in this account. Use UpdateMicrovmImage to build a new version of it.`,
        );
      }
      await checkImageQuota(db, quotas, context);
      await checkBuildQuota(db, quotas, context);
      await insertImage(db, {
        arn,
        account_id: accountId,
        region,
        name,
        state: "CREATING",
        last_version: 1,
        tags_json: JSON.stringify(tags),
        created_at: at,
        updated_at: null,
      });
      const made = await insertPendingVersion(db, { imageArn: arn, number: 1, settings, at }, builds.target);
      const answer: Output = {
        imageArn: arn,
        name,
        state: "CREATING",
        createdAt: new Date(at),
        ...settings,
        ...(input.tags && { tags }),
        imageVersion: made.version,
      };
      await remember(db, use, answer, at);
      return { response: answer, buildId: made.buildId };
    });
    if (buildId !== undefined) builds.enqueue(buildId);
    return response;
  };
}
