import type { GetMicrovmCommandInput, GetMicrovmCommandOutput } from "@aws-sdk/client-lambda-microvms";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { microvmOutput, requireMicrovm } from "./microvm-view.ts";

export function getMicrovm({
  microvms,
}: Dependencies): Operation<GetMicrovmCommandInput, Omit<GetMicrovmCommandOutput, "$metadata">> {
  return async (input, context) =>
    microvmOutput(await requireMicrovm(microvms, context, must(input.microvmIdentifier, "a microVM")));
}
