import { ServiceFault } from "../../errors/service-fault.ts";
import type { ServiceDefinition } from "../service.ts";
import { readJsonStructure, writeJson } from "./json-body.ts";
import { MalformedInput } from "./malformed-input.ts";
import { readBody } from "./read-body.ts";
import { readServiceModel, type OperationModel, type ServiceModel } from "./service-model.ts";
import type { Protocol, WireRequest, WireResponse } from "./wire.ts";

const EPOCH_SECONDS = 7;
const SETTINGS = { jsonName: false, timestampFormat: { useTrait: true, default: EPOCH_SECONDS } } as const;
/** A batch of log events is at most 1 MiB, but escaping can make it several times as long in JSON. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;
const CONTENT_TYPE = "application/x-amz-json-1.1";

/** Server side of AWS JSON 1.1: POST to "/", the operation in X-Amz-Target, members by their own names in the body. */
export function createAwsJson(service: ServiceDefinition): Protocol {
  const model = readServiceModel(service.schemas);
  const unknownOperation = (name = "") =>
    new ServiceFault("UnknownOperationException", `There is no operation ${name.slice(0, 200)}`.trim(), {
      status: 400,
    });
  return {
    maxBodyBytes: MAX_BODY_BYTES,
    async accept(request) {
      const target = request.headers["x-amz-target"];
      if (request.method !== "POST" || request.path !== "/" || target === undefined) return undefined;
      const name = operationOf(target, service.targetPrefix);
      const operation = name === undefined ? undefined : model.operations.get(name);
      if (!operation) throw unknownOperation(target);
      return { operation, readInput: () => readInput(operation, request) };
    },
    writeOutput,
    writeFault: (fault, requestId) => writeFault(model, fault, requestId),
    unknownOperation,
    internalFault: (cause) =>
      new ServiceFault("InternalFailure", "The service encountered an internal error.", { status: 500, cause }),
  };
}

/** "Logs_20140328.PutLogEvents" */
function operationOf(target: string, prefix: string | undefined): string | undefined {
  const dot = target.lastIndexOf(".");
  return target.slice(0, Math.max(0, dot)) === prefix ? target.slice(dot + 1) : undefined;
}

async function readInput({ input }: OperationModel, request: WireRequest): Promise<Record<string, unknown>> {
  const bytes = await readBody(request.body, MAX_BODY_BYTES);
  if (!input.isStructSchema() || bytes.length === 0) return {};
  try {
    return readJsonStructure(input, bytes, SETTINGS);
  } catch (cause) {
    if (!(cause instanceof MalformedInput)) throw cause;
    throw new ServiceFault("SerializationException", cause.message, { status: 400, cause });
  }
}

function writeOutput({ output }: OperationModel, value: Record<string, unknown>, requestId: string): WireResponse {
  const body = output.isStructSchema() ? writeJson(output, value, SETTINGS) : "{}";
  return { status: 200, headers: { "content-type": CONTENT_TYPE, "x-amzn-requestid": requestId }, body };
}

function writeFault(model: ServiceModel, fault: ServiceFault, requestId: string): WireResponse {
  const error = model.errors.get(fault.shape);
  const members = { ...fault.members, message: fault.message };
  const text = error ? writeJson(error.schema, members, SETTINGS) : JSON.stringify({ message: fault.message });
  return {
    status: fault.status ?? error?.status ?? 400,
    headers: { "content-type": CONTENT_TYPE, "x-amzn-requestid": requestId },
    body: JSON.stringify({ __type: fault.shape, ...(JSON.parse(text) as object) }),
  };
}
