import { requiredMembers, type OperationModel } from "../../src/aws/protocol/service-model.ts";
import type { ServiceDefinition } from "../../src/aws/service.ts";
import { signRequest, type RequestDraft, type SigningKey } from "../support/sign-request.ts";
import { breakFraming, damage } from "./damage.ts";
import type { Random } from "../support/random.ts";
import { structureValue, type KnownValues } from "./shape-values.ts";
import { toRequest } from "./wire-forms.ts";

export interface HostileRequest {
  readonly service: string;
  readonly operation: string;
  readonly draft: RequestDraft;
  /** A connection that ends without an answer is one, where the bytes are no whole request. */
  readonly isFramingBroken: boolean;
}

export interface RequestOptions {
  readonly random: Random;
  readonly definition: ServiceDefinition;
  readonly operation: OperationModel;
  readonly known: KnownValues;
  readonly keys: readonly SigningKey[];
  readonly secret: string;
}

const SERVICES = ["lambda", "s3", "iam", "sts", "logs", "ec2", "constructor"];
const HOUR_MS = 3_600_000;

/** From nearly right to nonsense: an operation's members, its wire form and its signature may each be wrong. */
export function hostileRequest(options: RequestOptions): HostileRequest {
  const { random, definition, operation, known, secret } = options;
  const harm = random.pick([0, 0, 0.03, 0.1, 0.4]);
  const members = structureValue(operation.input, requiredMembers(operation.input), { random, known, harm, secret });
  const built = toRequest(definition, operation, members);
  const intact = random.chance(0.5) ? built : damage(built, random);
  const isFramingBroken = random.chance(0.03);
  const unsigned = isFramingBroken ? breakFraming(intact, random) : intact;
  const draft = { ...unsigned, headers: sign(unsigned, options) };
  return { service: definition.signingName, operation: operation.name, draft, isFramingBroken };
}

function sign(draft: RequestDraft, { random, definition, keys }: RequestOptions): Readonly<Record<string, string>> {
  const key = random.pick(keys);
  const service = definition.signingName;
  const how = random.integer(0, 99);
  try {
    if (how < 80) return signRequest(draft, { key, service });
    if (how < 84) return draft.headers;
    if (how < 86) return signRequest(draft, { key: { ...key, secretAccessKey: "wrong" }, service });
    if (how < 88) return signRequest(draft, { key: { ...key, accessKeyId: "AKIANOBODY" }, service });
    if (how < 90) return signRequest(draft, { key, service: random.pick(SERVICES) });
    if (how < 92) return signRequest(draft, { key, service, at: new Date(Date.now() - HOUR_MS) });
    if (how < 94) return signRequest(draft, { key: { ...key, sessionToken: "token" }, service });
    if (how < 98) return signRequest(draft, { key, service, payload: random.pick(PAYLOADS) });
    const { authorization = "" } = signRequest(draft, { key, service });
    const at = random.integer(0, authorization.length - 1);
    return { ...draft.headers, authorization: `${authorization.slice(0, at)}${random.pick(["", "=", ",", "/", "é"])}` };
  } catch (cause) {
    if (cause instanceof URIError) return draft.headers; // a target that has no canonical form
    throw cause;
  }
}

const PAYLOADS = [
  "UNSIGNED-PAYLOAD",
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
  "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
  "0".repeat(64),
  "",
];
