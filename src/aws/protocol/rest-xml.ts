import { XmlShapeSerializer } from "@aws-sdk/core/protocols";
import { XmlNode, XmlText } from "@aws-sdk/xml-builder";
import type { NormalizedSchema } from "@smithy/core/schema";
import { ServiceFault } from "../../errors/service-fault.ts";
import type { ServiceDefinition } from "../service.ts";
import { isBodyMember, payloadMember, writeHeaders } from "./http-output.ts";
import { readXmlInput } from "./rest-xml-input.ts";
import { RouteTable } from "./route-table.ts";
import { readServiceModel, structWith, type OperationModel, type ServiceModel } from "./service-model.ts";
import type { Protocol, WireResponse } from "./wire.ts";

const DATE_TIME = 5;
const MAX_BODY_BYTES = 8 * 1024 * 1024;
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** Server side of AWS restXml as S3 speaks it. */
export function createRestXml(service: ServiceDefinition): Protocol {
  const model = readServiceModel(service.schemas);
  const routes = new RouteTable(model.operations.values());
  return {
    maxBodyBytes: MAX_BODY_BYTES,
    async accept(request, ambient) {
      const route = routes.find({ ...request, ambient });
      return route && { operation: route.operation, readInput: () => readXmlInput(route, request, MAX_BODY_BYTES) };
    },
    writeOutput: (operation, output, requestId) =>
      writeOutput(operation, output, { requestId, xmlNamespace: service.xmlNamespace }),
    writeFault: (fault, requestId) => writeFault(model, fault, requestId),
    unknownOperation: (name) =>
      name === undefined
        ? new ServiceFault("MethodNotAllowed", "The specified method is not allowed against this resource.", {
            status: 405,
          })
        : new ServiceFault(
            "NotImplemented",
            `A header or query you provided implies functionality that is not implemented: ${name}`,
            { status: 501 },
          ),
    internalFault: (cause) =>
      new ServiceFault("InternalError", "We encountered an internal error. Please try again.", { status: 500, cause }),
  };
}

interface Writing {
  readonly requestId: string;
  readonly xmlNamespace: string | undefined;
}

function writeOutput(
  operation: OperationModel,
  output: Record<string, unknown>,
  { requestId, xmlNamespace }: Writing,
): WireResponse {
  const { output: schema } = operation;
  const headers = { "x-amz-request-id": requestId, ...writeHeaders(schema, output) };
  // The model has no member for the status of a partial answer; the header tells.
  const status = "content-range" in headers ? 206 : operation.status;
  if (status === 204 || operation.method === "HEAD") return { status, headers };
  const payload = payloadMember(schema);
  if (payload && !payload[1].isStructSchema())
    return { status, headers, body: output[payload[0]] as WireResponse["body"] };
  const body = payload ? payload[1] : bodyStructure(schema);
  if (!body) return { status, headers };
  const value = payload ? output[payload[0]] : output;
  return {
    status,
    headers: { "content-type": "application/xml", ...headers },
    body: DECLARATION + writeXml(body, value ?? {}, xmlNamespace),
  };
}

function bodyStructure(schema: NormalizedSchema): NormalizedSchema | undefined {
  if (!schema.isStructSchema()) return undefined;
  const body = structWith(schema, isBodyMember);
  return body.structIterator().next().done ? undefined : body;
}

function writeXml(schema: NormalizedSchema, value: unknown, xmlNamespace: string | undefined): string {
  const unwrapped = unwrappedText(schema, value as Record<string, unknown>);
  if (unwrapped) return unwrapped.addAttribute("xmlns", xmlNamespace ?? "").toString();
  const serializer = new XmlShapeSerializer({
    xmlNamespace: xmlNamespace ?? "",
    serviceNamespace: "",
    httpBindings: true,
    timestampFormat: { useTrait: true, default: DATE_TIME },
  });
  serializer.write(schema, value);
  return String(serializer.flush());
}

/** S3's unwrapped output: the root element is the only member itself, as in GetBucketLocation. */
function unwrappedText(schema: NormalizedSchema, value: Record<string, unknown>): XmlNode | undefined {
  const members = [...schema.structIterator()];
  const [name, member] = members[0] ?? [];
  const root = schema.getMergedTraits().xmlName;
  if (members.length !== 1 || root === undefined || name !== root || !member?.isStringSchema()) return undefined;
  const text = value[name];
  return new XmlNode(root, typeof text === "string" ? [new XmlText(text)] : []);
}

function writeFault(model: ServiceModel, fault: ServiceFault, requestId: string): WireResponse {
  const status = fault.status ?? model.errors.get(fault.shape)?.status ?? 400;
  const headers = { "x-amz-request-id": requestId };
  if (status === 304) return { status, headers: { ...headers, ...textMembers(fault) } };
  const root = new XmlNode("Error");
  const elements = { Code: fault.shape, Message: fault.message, ...textMembers(fault), RequestId: requestId };
  for (const [name, text] of Object.entries(elements)) root.addChildNode(XmlNode.of(name, text));
  return { status, headers: { ...headers, "content-type": "application/xml" }, body: DECLARATION + root.toString() };
}

function textMembers(fault: ServiceFault): Record<string, string> {
  return Object.fromEntries(Object.entries(fault.members).map(([name, value]) => [name, String(value)]));
}
