import { XmlShapeDeserializer } from "@aws-sdk/core/protocols";
import type { NormalizedSchema } from "@smithy/core/schema";
import { ServiceFault } from "../../errors/service-fault.ts";
import { verifyDeclaredChecksums } from "./checksum.ts";
import { readHttpMembers } from "./http-input.ts";
import { payloadMember } from "./http-output.ts";
import { MalformedInput } from "./malformed-input.ts";
import { readBody } from "./read-body.ts";
import type { Route } from "./route-table.ts";
import { requiredMembers } from "./service-model.ts";
import type { WireRequest } from "./wire.ts";

const DATE_TIME = 5;

/** Reads path, query, headers and payload; a streaming payload stays a Readable. */
export async function readXmlInput(
  { operation, labels }: Route,
  request: WireRequest,
  maxBytes: number,
): Promise<Record<string, unknown>> {
  const { input } = operation;
  const members = readBound(input, request, labels);
  const payload = payloadMember(input);
  if (payload) {
    const [name, member] = payload;
    const value = member.isStreaming() ? request.body : await readPayload(member, request, maxBytes);
    if (value !== undefined) members[name] = value;
  } else await readBody(request.body, maxBytes); // nothing is done before all of it has come, as it was signed
  const missing = requiredMembers(input).find((name) => members[name] === undefined);
  if (missing !== undefined) {
    const isBody = missing === payload?.[0];
    if (isBody) throw new ServiceFault("MissingRequestBodyError", "Request Body is empty", { status: 400 });
    throw new ServiceFault("InvalidRequest", `${operation.name} requires ${missing}, which the request does not have`, {
      status: 400,
    });
  }
  return members;
}

function readBound(input: NormalizedSchema, request: WireRequest, labels: Route["labels"]): Record<string, unknown> {
  try {
    return readHttpMembers("restXml", input, request, labels);
  } catch (cause) {
    if (cause instanceof MalformedInput)
      throw new ServiceFault("InvalidArgument", cause.message, { status: 400, cause });
    throw cause;
  }
}

async function readPayload(member: NormalizedSchema, request: WireRequest, maxBytes: number): Promise<unknown> {
  const bytes = await readBody(request.body, maxBytes);
  await verifyDeclaredChecksums(request.headers, bytes);
  if (bytes.length === 0) return undefined;
  if (member.isBlobSchema()) return bytes;
  if (member.isStringSchema()) return bytes.toString("utf8");
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const deserializer = new XmlShapeDeserializer({
      xmlNamespace: "",
      serviceNamespace: "",
      httpBindings: true,
      timestampFormat: { useTrait: true, default: DATE_TIME },
    });
    const value: unknown = deserializer.read(member, Buffer.from(text));
    checkXmlValue(member, value);
    return value;
  } catch (cause) {
    // Whatever the parser stumbles over, too deep a nesting included, is the document's fault.
    throw new ServiceFault(
      "MalformedXML",
      "The XML you provided was not well-formed or did not validate against our published schema",
      {
        status: 400,
        cause,
      },
    );
  }
}

/** The SDK's reader makes NaN of text where a number belongs, and objects of elements where text belongs. */
function checkXmlValue(schema: NormalizedSchema, value: unknown): void {
  if (value === undefined || value === null) return;
  if (schema.isStructSchema()) {
    if (typeof value !== "object") throw new MalformedInput("text in place of elements");
    for (const [name, member] of schema.structIterator())
      checkXmlValue(member, (value as Record<string, unknown>)[name]);
  } else if (schema.isListSchema()) {
    for (const item of value as unknown[]) checkXmlValue(schema.getValueSchema(), item);
  } else if (schema.isNumericSchema() && !Number.isFinite(value)) throw new MalformedInput("not a number");
  else if (schema.isStringSchema() && typeof value !== "string") throw new MalformedInput("not a text");
}
