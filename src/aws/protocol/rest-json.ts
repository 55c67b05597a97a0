import { JsonShapeDeserializer } from "@smithy/core/protocols";
import type { DocumentType } from "@smithy/types";
import { ServiceFault } from "../../errors/service-fault.ts";
import type { ServiceDefinition } from "../service.ts";
import { readHttpMembers } from "./http-input.ts";
import { isBodyMember, isInputBodyMember, payloadMember, writeHeaders } from "./http-output.ts";
import { parseJson, readJsonStructure, writeJson } from "./json-body.ts";
import { checkJsonShape } from "./json-shape.ts";
import { MalformedInput } from "./malformed-input.ts";
import { readBody } from "./read-body.ts";
import { RouteTable, type Route } from "./route-table.ts";
import { readServiceModel, structWith, type OperationModel, type ServiceModel } from "./service-model.ts";
import type { Protocol, WireRequest, WireResponse } from "./wire.ts";

const EPOCH_SECONDS = 7;
const SETTINGS = { jsonName: true, timestampFormat: { useTrait: true, default: EPOCH_SECONDS } } as const;
const MAX_BODY_BYTES = 1024 * 1024;

/** Server side of AWS restJson1 (contract 1). */
export function createRestJson(service: ServiceDefinition): Protocol {
  const model = readServiceModel(service.schemas);
  const routes = new RouteTable(model.operations.values());
  const malformed = (message: string, cause?: unknown) =>
    new ServiceFault(
      model.errors.has("ValidationException") ? "ValidationException" : "SerializationException",
      message,
      { status: 400, cause },
    );
  return {
    maxBodyBytes: MAX_BODY_BYTES,
    async accept(request) {
      const route = translate(malformed, () => routes.find(request));
      if (!route) return undefined;
      return {
        operation: route.operation,
        readInput: async () => {
          const bytes = await readBody(request.body, MAX_BODY_BYTES);
          return translate(malformed, () => readInput(route, request, bytes));
        },
      };
    },
    writeOutput,
    writeFault: (fault, requestId) => writeFault(model, fault, requestId),
    unknownOperation: () => new ServiceFault("UnknownOperationException", "Not Found", { status: 404 }),
    internalFault: (cause) =>
      new ServiceFault(
        model.errors.has("InternalServerException") ? "InternalServerException" : "ServiceException",
        "The service encountered an internal error.",
        { status: 500, cause },
      ),
  };
}

/** Turns what the readers refuse into the service's client error. */
function translate<T>(malformed: (message: string, cause: unknown) => ServiceFault, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof MalformedInput) throw malformed(cause.message, cause);
    if (cause instanceof URIError) throw malformed("The request path is not correctly percent-encoded", cause);
    throw cause;
  }
}

function readInput({ operation, labels }: Route, request: WireRequest, bytes: Buffer): Record<string, unknown> {
  const { input } = operation;
  const bound = readHttpMembers("restJson1", input, request, labels);
  const payload = payloadMember(input);
  if (payload) return { ...bound, ...(bytes.length > 0 && { [payload[0]]: readPayload(payload[1], bytes) }) };
  if (!input.isStructSchema()) return bound;
  const body = structWith(input, isInputBodyMember);
  if (body.structIterator().next().done) return bound;
  return { ...(bytes.length > 0 && readJson(body, request, bytes)), ...bound };
}

function readJson(schema: OperationModel["input"], request: WireRequest, bytes: Buffer): Record<string, unknown> {
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase() ?? "";
  // Absent or the generic default of HTTP libraries: what the bytes say decides.
  if (
    !["", "application/json", "application/octet-stream"].includes(type) &&
    !/^application\/[\w.-]+\+json$|^application\/x-amz-json-/.test(type)
  ) {
    throw new MalformedInput(`The content type ${type.slice(0, 100)} is not supported; use application/json`);
  }
  return readJsonStructure(schema, bytes, SETTINGS);
}

function readPayload(schema: OperationModel["input"], bytes: Buffer): unknown {
  if (schema.isBlobSchema()) return bytes;
  if (schema.isStringSchema()) return bytes.toString("utf8");
  const value = parseJson(bytes);
  checkJsonShape(schema, value, schema.getMemberName());
  return new JsonShapeDeserializer(SETTINGS).readObject(schema, value as DocumentType);
}

function writeOutput(operation: OperationModel, output: Record<string, unknown>, requestId: string): WireResponse {
  const { output: schema, status } = operation;
  const headers = { ...writeHeaders(schema, output), "x-amzn-requestid": requestId };
  if (status === 204) return { status, headers };
  const payload = payloadMember(schema);
  if (payload) return { status, headers, body: output[payload[0]] as WireResponse["body"] };
  const body = schema.isStructSchema() ? writeJson(structWith(schema, isBodyMember), output, SETTINGS) : "{}";
  return { status, headers: { "content-type": "application/json", ...headers }, body };
}

function writeFault(model: ServiceModel, fault: ServiceFault, requestId: string): WireResponse {
  const error = model.errors.get(fault.shape);
  const status = fault.status ?? error?.status ?? 400;
  const headers = { "x-amzn-requestid": requestId, "x-amzn-errortype": fault.shape };
  if (fault.shape === "UnknownOperationException")
    return { status, headers: { ...headers, "content-type": "text/html" }, body: NOT_FOUND_PAGE };
  // some shapes spell it with a capital letter (contract 8.2)
  const members = { ...fault.members, message: fault.message, Message: fault.message };
  const body = error
    ? writeJson(structWith(error.schema, isBodyMember), members, SETTINGS)
    : JSON.stringify({ message: fault.message });
  const bound = error ? writeHeaders(error.schema, members) : {};
  return { status, headers: { "content-type": "application/json", ...headers, ...bound }, body };
}

/** A path that is no route answers HTML, as seen on the service for an unencoded slash in an identifier (contract 1). */
const NOT_FOUND_PAGE = "<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1></body></html>";
