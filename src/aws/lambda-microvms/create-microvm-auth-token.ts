import type {
  CreateMicrovmAuthTokenCommandInput,
  CreateMicrovmAuthTokenCommandOutput,
  PortSpecification,
} from "@aws-sdk/client-lambda-microvms";
import type { PortScope } from "../../auth/endpoint-token.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { validation } from "./faults.ts";
import { requireReachable, tokenExpiry } from "./token-rules.ts";

/** Port specifications in one token: more would not fit the header that carries it. */
const MAX_SCOPES = 100;

export function createMicrovmAuthToken({
  microvms,
  tokens,
  now,
}: Dependencies): Operation<
  CreateMicrovmAuthTokenCommandInput,
  Omit<CreateMicrovmAuthTokenCommandOutput, "$metadata">
> {
  return async (input, context) => {
    const expiresAt = tokenExpiry(input, now());
    const given = must(input.allowedPorts, "allowed ports");
    if (given.length > MAX_SCOPES)
      throw validation(`allowedPorts must not hold more than ${MAX_SCOPES} entries; use ranges`);
    const ports = given.map(portScope);
    const { microvmId } = await requireReachable(microvms, context, input);
    const token = await tokens.mint({ microvmId, kind: "http", ports, expiresAt });
    return { authToken: { "X-aws-proxy-auth": token } };
  };
}

function portScope(given: PortSpecification): PortScope {
  if (given.port !== undefined) return { port: given.port };
  if (given.allPorts !== undefined) return { allPorts: {} };
  const startPort = must(given.range?.startPort, "a first port");
  const endPort = must(given.range?.endPort, "a last port");
  if (startPort > endPort)
    throw validation(`Invalid port range: startPort ${startPort} is greater than endPort ${endPort}`);
  return { range: { startPort, endPort } };
}
