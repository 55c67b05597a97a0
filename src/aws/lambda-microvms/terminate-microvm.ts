import type { TerminateMicrovmCommandInput } from "@aws-sdk/client-lambda-microvms";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { requireMicrovm } from "./microvm-view.ts";

/** Idempotent: a microVM that is TERMINATING or TERMINATED answers the same. */
export function terminateMicrovm({
  microvms,
}: Dependencies): Operation<TerminateMicrovmCommandInput, Record<string, never>> {
  return async (input, context) => {
    const { microvmId } = await requireMicrovm(microvms, context, must(input.microvmIdentifier, "a microVM"));
    await microvms.terminate(microvmId);
    return {};
  };
}
