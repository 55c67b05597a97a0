/*
 * The wire contract of lambda-core, API version 2026-04-30 (contract 8.2), in the form in which the AWS SDK's clients
 * export theirs: no client of it could be had from the registry, so this one is written by hand and checked against the
 * model that the AWS CLI carries (test/contract/lambda-core-schemas.test.ts). Replace it by the client's module when there is one.
 */

const NAMESPACE = "com.amazonaws.lambdacore";

type Schema = readonly unknown[];
type Member = number | (() => Schema) | readonly [number | (() => Schema), object];

const TEXT = 0;
const NUMBER = 1;
const TEXT_LIST = 64;
const TEXT_MAP = 128;
const ISO_8601 = 5;

/** Members whose names end in "!" are required; the SDK's form lists those first. */
function structure(name: string, members: Readonly<Record<string, Member>>, kind: 3 | 4 = 3): Schema {
  const entries = Object.entries(members);
  const required = entries.filter(([member]) => member.endsWith("!"));
  const ordered = [...required, ...entries.filter(([member]) => !member.endsWith("!"))];
  const names = ordered.map(([member]) => member.replace(/!$/, ""));
  return [kind, NAMESPACE, name, 0, names, ordered.map(([, type]) => type), required.length];
}

function fault(name: string, status: number, members: Readonly<Record<string, Member>>): Schema {
  const traits = { error: status < 500 ? "client" : "server", httpError: status };
  return [-3, NAMESPACE, name, traits, Object.keys(members), Object.values(members)];
}

function operation(name: string, http: readonly [string, string, number], input: Schema, output: Schema): Schema {
  return [9, NAMESPACE, name, { http }, () => input, () => output];
}

const inPath: Member = [TEXT, { httpLabel: 1 }];
const inQuery = (type: number, httpQuery: string): Member => [type, { httpQuery }];

const vpcEgress = structure("NetworkConnectorVpcEgressConfiguration", {
  SubnetIds: TEXT_LIST,
  SecurityGroupIds: TEXT_LIST,
  NetworkProtocol: TEXT,
  AssociatedComputeResourceTypes: TEXT_LIST,
});
const configuration = structure("NetworkConnectorConfiguration", { VpcEgressConfiguration: () => vpcEgress }, 4);

const names = { "Arn!": TEXT, "Name!": TEXT, "Id!": TEXT } as const;
const made = { ...names, Configuration: () => configuration, OperatorRole: TEXT, State: TEXT } as const;

const summary = structure("NetworkConnectorSummary", { ...names, "Type!": TEXT, State: TEXT, LastModified: ISO_8601 });
const summaries: Schema = [1, NAMESPACE, "NetworkConnectorsList", 0, () => summary];

export const CreateNetworkConnector$ = operation(
  "CreateNetworkConnector",
  ["POST", "/2026-04-04/network-connectors", 202],
  structure("CreateNetworkConnectorRequest", {
    "Name!": TEXT,
    "Configuration!": () => configuration,
    OperatorRole: TEXT,
    ClientToken: [TEXT, { idempotencyToken: 1 }],
    Tags: TEXT_MAP,
  }),
  structure("CreateNetworkConnectorResponse", made),
);

export const GetNetworkConnector$ = operation(
  "GetNetworkConnector",
  ["GET", "/2026-04-04/network-connectors/{Identifier}", 200],
  structure("GetNetworkConnectorRequest", { "Identifier!": inPath }),
  structure("GetNetworkConnectorResponse", {
    ...made,
    Version: NUMBER,
    StateReason: TEXT,
    StateReasonCode: TEXT,
    LastUpdateStatus: TEXT,
    LastUpdateStatusReason: TEXT,
    LastUpdateStatusReasonCode: TEXT,
    LastModified: ISO_8601,
  }),
);

export const ListNetworkConnectors$ = operation(
  "ListNetworkConnectors",
  ["GET", "/2026-04-04/network-connectors", 200],
  structure("ListNetworkConnectorsRequest", {
    State: inQuery(TEXT, "State"),
    Marker: inQuery(TEXT, "Marker"),
    MaxItems: inQuery(NUMBER, "MaxItems"),
  }),
  structure("ListNetworkConnectorsResponse", { "NetworkConnectors!": () => summaries, NextMarker: TEXT }),
);

export const UpdateNetworkConnector$ = operation(
  "UpdateNetworkConnector",
  ["PUT", "/2026-04-04/network-connectors/{Identifier}", 202],
  structure("UpdateNetworkConnectorRequest", {
    "Identifier!": inPath,
    Configuration: () => configuration,
    OperatorRole: TEXT,
    ClientToken: [TEXT, { idempotencyToken: 1 }],
  }),
  structure("UpdateNetworkConnectorResponse", {
    ...made,
    LastUpdateStatus: TEXT,
    LastUpdateStatusReason: TEXT,
    LastModified: ISO_8601,
  }),
);

export const DeleteNetworkConnector$ = operation(
  "DeleteNetworkConnector",
  ["DELETE", "/2026-04-04/network-connectors/{Identifier}", 202],
  structure("DeleteNetworkConnectorRequest", { "Identifier!": inPath }),
  structure("DeleteNetworkConnectorResponse", made),
);

const told = { Type: TEXT, message: TEXT } as const;
/** Two of the six spell their text with a capital letter (contract 8.2). */
const toldLoudly = { Type: TEXT, Message: TEXT } as const;

export const InvalidParameterValueException$ = fault("InvalidParameterValueException", 400, told);
export const NetworkConnectorLimitExceededException$ = fault("NetworkConnectorLimitExceededException", 400, told);
export const ResourceConflictException$ = fault("ResourceConflictException", 409, told);
export const ResourceNotFoundException$ = fault("ResourceNotFoundException", 404, toldLoudly);
export const ServiceException$ = fault("ServiceException", 500, toldLoudly);
export const TooManyRequestsException$ = fault("TooManyRequestsException", 429, {
  retryAfterSeconds: [TEXT, { httpHeader: "Retry-After" }],
  ...told,
  Reason: TEXT,
});
