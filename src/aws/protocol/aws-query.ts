import { XmlShapeSerializer } from "@aws-sdk/core/protocols";
import { XmlNode } from "@aws-sdk/xml-builder";
import { ServiceFault } from "../../errors/service-fault.ts";
import type { ServiceDefinition } from "../service.ts";
import { MalformedInput } from "./malformed-input.ts";
import { readQueryInput } from "./query-input.ts";
import { readBody } from "./read-body.ts";
import { readServiceModel, renamed, type OperationModel, type ServiceModel } from "./service-model.ts";
import type { Protocol, WireRequest, WireResponse } from "./wire.ts";

const DATE_TIME = 5;
const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** Server side of AWS query: a form with Action and Version, answered in XML. */
export function createAwsQuery(service: ServiceDefinition): Protocol {
  const model = readServiceModel(service.schemas);
  const xmlNamespace = service.xmlNamespace ?? "";
  return {
    maxBodyBytes: MAX_BODY_BYTES,
    async accept(request) {
      const parameters = await readParameters(request);
      const action = parameters.get("Action");
      if (action === null)
        throw new ServiceFault("MissingAction", "The request is missing an Action parameter", { status: 400 });
      const operation = model.operations.get(action);
      if (!operation) throw unknownAction(action, parameters.get("Version"));
      return { operation, readInput: async () => readInput(operation, parameters) };
    },
    writeOutput: (operation, output, requestId) => writeOutput(operation, output, { requestId, xmlNamespace }),
    writeFault: (fault, requestId) => writeFault(model, fault, { requestId, xmlNamespace }),
    unknownOperation: (name) => unknownAction(name ?? "", null),
    internalFault: (cause) =>
      new ServiceFault(
        "InternalFailure",
        "The request processing has failed because of an unknown error, exception or failure.",
        { status: 500, cause },
      ),
  };
}

function unknownAction(action: string, version: string | null): ServiceFault {
  const ofVersion = version === null ? "" : ` for version ${version.slice(0, 50)}`;
  return new ServiceFault("InvalidAction", `Could not find operation ${action.slice(0, 200)}${ofVersion}`, {
    status: 400,
  });
}

/** GET carries them in the query, POST in a form body; a form on top of a query adds to it. */
async function readParameters(request: WireRequest): Promise<URLSearchParams> {
  const parameters = new URLSearchParams(request.query.map(([name, value]): [string, string] => [name, value]));
  const body = await readBody(request.body, MAX_BODY_BYTES);
  for (const [name, value] of new URLSearchParams(body.toString("utf8"))) parameters.append(name, value);
  return parameters;
}

function readInput(operation: OperationModel, parameters: URLSearchParams): Record<string, unknown> {
  try {
    return readQueryInput(operation.input, parameters);
  } catch (cause) {
    if (cause instanceof MalformedInput)
      throw new ServiceFault("MalformedInput", cause.message, { status: 400, cause });
    throw cause;
  }
}

interface Writing {
  readonly requestId: string;
  readonly xmlNamespace: string;
}

function writeOutput(
  operation: OperationModel,
  output: Record<string, unknown>,
  { requestId, xmlNamespace }: Writing,
): WireResponse {
  const { name, output: schema } = operation;
  const metadata = new XmlNode("ResponseMetadata", [XmlNode.of("RequestId", requestId)]);
  const result = schema.isStructSchema() ? writeResult(`${name}Result`, operation, output) : "";
  const body = `<${name}Response xmlns="${xmlNamespace}">${result}${metadata.toString()}</${name}Response>`;
  return { status: 200, headers: headers(requestId), body };
}

function writeResult(name: string, operation: OperationModel, output: Record<string, unknown>): string {
  const serializer = new XmlShapeSerializer({
    xmlNamespace: "",
    serviceNamespace: "",
    httpBindings: false,
    timestampFormat: { useTrait: true, default: DATE_TIME },
  });
  serializer.write(renamed(operation.output, name), output);
  return String(serializer.flush());
}

function writeFault(model: ServiceModel, fault: ServiceFault, { requestId, xmlNamespace }: Writing): WireResponse {
  const error = model.errors.get(fault.shape);
  const status = fault.status ?? error?.status ?? 400;
  const details = new XmlNode("Error", [
    XmlNode.of("Type", status < 500 ? "Sender" : "Receiver"),
    XmlNode.of("Code", error?.code ?? fault.shape),
    XmlNode.of("Message", fault.message),
  ]);
  const root = new XmlNode("ErrorResponse", [details, XmlNode.of("RequestId", requestId)]).addAttribute(
    "xmlns",
    xmlNamespace,
  );
  return { status, headers: headers(requestId), body: root.toString() };
}

function headers(requestId: string): Record<string, string> {
  return { "content-type": "text/xml", "x-amzn-requestid": requestId };
}
