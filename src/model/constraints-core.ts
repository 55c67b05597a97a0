import { integer, list, map, oneOf, structure, text, union, type StructureShape } from "./constraint-shape.ts";

/* Lengths, patterns and ranges of lambda-core, as constraints.ts has them of lambda-microvms (contract 8.2). */

const ARN_PATTERN =
  "(arn:aws[a-zA-Z-]*:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:" +
  "network-connector:[a-zA-Z0-9-_]+(:[1-9]|[1-9][0-9]+)?)";
const TAG_PATTERN = "([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)";

const identifier = text(1, 140);
const clientToken = text(1, 64);
const operatorRole = text(0, 10000, "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+");
const state = oneOf("PENDING", "ACTIVE", "INACTIVE", "FAILED", "DELETING", "DELETE_FAILED");

const configuration = union({
  VpcEgressConfiguration: structure({
    SubnetIds: list(text(0, 1024, "subnet-[0-9a-z]*"), 1, 16),
    SecurityGroupIds: list(text(0, 1024, "sg-[0-9a-zA-Z]*"), 0, 5),
    NetworkProtocol: oneOf("IPv4", "DualStack"),
    AssociatedComputeResourceTypes: list(oneOf("MicroVm"), 1, 1),
  }),
});

export const CORE_CONSTRAINTS = {
  CreateNetworkConnector: structure({
    "Name!": text(1, 140, `${ARN_PATTERN}|[a-zA-Z0-9_-]{1,64}`),
    "Configuration!": configuration,
    OperatorRole: operatorRole,
    ClientToken: clientToken,
    Tags: map(text(1, 128, TAG_PATTERN), text(0, 256, TAG_PATTERN)),
  }),
  GetNetworkConnector: structure({ "Identifier!": identifier }),
  ListNetworkConnectors: structure({ State: state, Marker: text(), MaxItems: integer(1, 100) }),
  UpdateNetworkConnector: structure({
    "Identifier!": identifier,
    Configuration: configuration,
    OperatorRole: operatorRole,
    ClientToken: clientToken,
  }),
  DeleteNetworkConnector: structure({ "Identifier!": identifier }),
} as const satisfies Record<string, StructureShape>;

export type CoreOperationName = keyof typeof CORE_CONSTRAINTS;
