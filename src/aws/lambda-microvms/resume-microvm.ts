import type { ResumeMicrovmCommandInput } from "@aws-sdk/client-lambda-microvms";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { requireMicrovm, wrongState } from "./microvm-view.ts";

export function resumeMicrovm({ microvms }: Dependencies): Operation<ResumeMicrovmCommandInput, Record<string, never>> {
  return async (input, context) => {
    const { microvmId } = await requireMicrovm(microvms, context, must(input.microvmIdentifier, "a microVM"));
    if ((await microvms.resume(microvmId)) === "wrong-state") throw await wrongState(microvms, microvmId, "resume");
    return {};
  };
}
