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
  tokens,
  now,
}: Dependencies): Operation<
  CreateMicrovmShellAuthTokenCommandInput,
  Omit<CreateMicrovmShellAuthTokenCommandOutput, "$metadata">
> {
  return async (input, context) => {
    const expiresAt = tokenExpiry(input, now());
    const { microvmId, ingressNetworkConnectors: ingress } = await requireReachable(microvms, context, input);
    if (!hasManagedConnector(ingress, "SHELL_INGRESS")) {
      throw validation("Shell access requires SHELL_INGRESS network connector to be configured on the MicroVM.");
    }
    if (hasManagedConnector(ingress, "ALL_INGRESS")) {
      throw validation(
        "ALL_INGRESS cannot be combined with other ingress network connectors; use HTTP_INGRESS and/or SHELL_INGRESS instead",
      );
    }
    const token = await tokens.mint({ microvmId, kind: "shell", ports: [], expiresAt });
    return { authToken: { "X-aws-proxy-auth": token } };
  };
}
