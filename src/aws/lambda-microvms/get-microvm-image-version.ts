import type {
  GetMicrovmImageVersionCommandInput,
  GetMicrovmImageVersionCommandOutput,
} from "@aws-sdk/client-lambda-microvms";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { requireVersion } from "./image-lookup.ts";
import { versionView } from "./image-view.ts";

export function getMicrovmImageVersion({
  store,
}: Dependencies): Operation<
  Required<GetMicrovmImageVersionCommandInput>,
  Omit<GetMicrovmImageVersionCommandOutput, "$metadata">
> {
  return async (input, context) => {
    const { image, version } = await requireVersion(
      store.db,
      context,
      input as { imageIdentifier: string; imageVersion: string },
    );
    return versionView(image, version);
  };
}
