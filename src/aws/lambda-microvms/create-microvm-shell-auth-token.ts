import type {
  CreateMicrovmShellAuthTokenCommandInput,
  CreateMicrovmShellAuthTokenCommandOutput,
} from "@aws-sdk/client-lambda-microvms";
import { hasManagedConnector } from "../../model/connectors.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { validation } from "./faults.ts";
import { requireReachable, tokenExpiry } from "./token-rules.ts";

export function createMicrovmShellAuthToken({
  microvms,
  now,
}: Dependencies): Operation<
  CreateMicrovmShellAuthTokenCommandInput,
  Omit<CreateMicrovmShellAuthTokenCommandOutput, "$metadata">
> {
  return async (input, context) => {
    tokenExpiry(input, now());
    const { ingressNetworkConnectors: ingress } = await requireReachable(microvms, context, input);
    if (!hasManagedConnector(ingress, "SHELL_INGRESS")) {
      throw validation("Shell access requires SHELL_INGRESS network connector to be configured on the MicroVM.");
    }
    if (hasManagedConnector(ingress, "ALL_INGRESS")) {
      throw validation(
        "ALL_INGRESS cannot be combined with other ingress network connectors; use HTTP_INGRESS and/or SHELL_INGRESS instead",
      );
    }
    throw validation(
      "This version of Catnap has no shell access yet, so it makes no shell tokens. Reach the application over HTTP_INGRESS.",
    );
  };
}
