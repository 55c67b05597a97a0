import type {
  CreateMicrovmImageCommandInput,
  RunMicrovmCommandInput,
  UpdateMicrovmImageCommandInput,
} from "@aws-sdk/client-lambda-microvms";
import { imageArn, parseImageArn } from "../../model/arn.ts";
import { managedConnectorArn } from "../../model/connectors.ts";
import { NOTHING, onAnything, type Permission, type PermissionRule, type PermissionTable } from "./permission.ts";

/* Contract 12: which action on which resource each operation of lambda-microvms and lambda-core needs. */

const PASSED_TO = new Map([["iam:passedtoservice", "lambda.amazonaws.com"]]);

function onImage(action: string): PermissionRule {
  return ({ imageIdentifier }) => [{ action, resource: imageIdentifier ?? "*" }];
}

/** Of a microVM that does not exist, only who may do it everywhere is told so. */
function onMicrovm(action: string): PermissionRule {
  return async ({ microvmIdentifier }, { accountId, images }) => [
    { action, resource: (await images.imageOf(accountId, microvmIdentifier ?? "")) ?? "*" },
  ];
}

function passRole(arn: string | undefined): Permission[] {
  return arn === undefined ? [] : [{ action: "iam:PassRole", resource: arn, context: PASSED_TO }];
}

function passConnectors(arns: readonly string[]): Permission[] {
  return arns.map((resource) => ({ action: "lambda:PassNetworkConnector", resource }));
}

function requestTags(tags: Readonly<Record<string, string>> | undefined): Map<string, string | string[]> {
  const entries = Object.entries(tags ?? {});
  const keys = new Map<string, string | string[]>(
    entries.map(([key, value]) => [`aws:requesttag/${key.toLowerCase()}`, String(value)]),
  );
  if (entries.length > 0)
    keys.set(
      "aws:tagkeys",
      entries.map(([key]) => key),
    );
  return keys;
}

const createImage: PermissionRule = (input: CreateMicrovmImageCommandInput, { accountId, region }) => {
  const context = requestTags(input.tags);
  const arn = imageArn({ region, account: accountId, name: input.name ?? "" });
  return [
    { action: "lambda:CreateMicrovmImage", resource: "*", context },
    ...(context.size > 0 ? [{ action: "lambda:TagResource", resource: arn, context }] : []),
    ...passRole(input.buildRoleArn),
    ...passConnectors(input.egressNetworkConnectors ?? []),
  ];
};

const updateImage: PermissionRule = (input: UpdateMicrovmImageCommandInput) => [
  { action: "lambda:UpdateMicrovmImage", resource: input.imageIdentifier ?? "*" },
  ...passRole(input.buildRoleArn),
  ...passConnectors(input.egressNetworkConnectors ?? []),
];

/** Connectors must be allowed also where the run names none and gets the default ones (contract 12). */
const run: PermissionRule = async (input: RunMicrovmCommandInput, scope) => {
  const arn = input.imageIdentifier ?? "*";
  const region = parseImageArn(arn)?.region ?? scope.region;
  const ingress = input.ingressNetworkConnectors ?? [];
  const egress = input.egressNetworkConnectors ?? [];
  const inherited = egress.length > 0 ? egress : await scope.images.egressOf(scope.accountId, arn, input.imageVersion);
  return [
    { action: "lambda:RunMicrovm", resource: arn },
    ...passConnectors(ingress.length > 0 ? ingress : [managedConnectorArn(region, "HTTP_INGRESS")]),
    ...passConnectors(inherited.length > 0 ? inherited : [managedConnectorArn(region, "INTERNET_EGRESS")]),
    ...passRole(input.executionRoleArn),
  ];
};

function onTagged(action: string): PermissionRule {
  return ({ Resource, Tags, TagKeys }) => {
    const context = requestTags(Tags);
    if (Array.isArray(TagKeys)) context.set("aws:tagkeys", TagKeys.map(String));
    return [{ action, resource: Resource ?? "*", context }];
  };
}

/** Connectors are named by ARN, by id or by name; policies speak of the ARN. */
function onConnector(action: string): PermissionRule {
  return async ({ Identifier, OperatorRole }, { accountId, region, connectorArn: find }) => {
    const named = String(Identifier ?? "*");
    const unknown = named.startsWith("arn:") ? named : connectorArn(region, accountId, named);
    const resource = (await find(named)) ?? unknown;
    return [{ action, resource }, ...passRole(OperatorRole)];
  };
}

const createConnector: PermissionRule = ({ Tags, OperatorRole, Configuration }, { accountId, region }) => {
  const context = requestTags(Tags);
  const { SubnetIds, SecurityGroupIds } = Configuration?.VpcEgressConfiguration ?? {};
  if (Array.isArray(SubnetIds)) context.set("lambda:subnetids", SubnetIds.map(String));
  if (Array.isArray(SecurityGroupIds)) context.set("lambda:securitygroupids", SecurityGroupIds.map(String));
  return [
    { action: "lambda:CreateNetworkConnector", resource: connectorArn(region, accountId, "*"), context },
    ...passRole(OperatorRole),
  ];
};

function connectorArn(region: string, accountId: string, id: string): string {
  return `arn:aws:lambda:${region}:${accountId}:network-connector:${id}`;
}

export const LAMBDA_PERMISSIONS: PermissionTable = {
  CreateMicrovmImage: createImage,
  UpdateMicrovmImage: updateImage,
  GetMicrovmImage: onImage("lambda:GetMicrovmImage"),
  ListMicrovmImages: onAnything("lambda:ListMicrovmImages"),
  DeleteMicrovmImage: onImage("lambda:DeleteMicrovmImage"),
  GetMicrovmImageVersion: onImage("lambda:GetMicrovmImageVersion"),
  ListMicrovmImageVersions: onImage("lambda:ListMicrovmImageVersions"),
  UpdateMicrovmImageVersion: onImage("lambda:UpdateMicrovmImageVersion"),
  DeleteMicrovmImageVersion: onImage("lambda:DeleteMicrovmImageVersion"),
  GetMicrovmImageBuild: onImage("lambda:GetMicrovmImageBuild"),
  ListMicrovmImageBuilds: onImage("lambda:ListMicrovmImageBuilds"),
  ListManagedMicrovmImages: onAnything("lambda:ListManagedMicrovmImages"),
  ListManagedMicrovmImageVersions: onImage("lambda:ListManagedMicrovmImageVersions"),
  RunMicrovm: run,
  GetMicrovm: onMicrovm("lambda:GetMicrovm"),
  ListMicrovms: onAnything("lambda:ListMicrovms"),
  SuspendMicrovm: onMicrovm("lambda:SuspendMicrovm"),
  ResumeMicrovm: onMicrovm("lambda:ResumeMicrovm"),
  TerminateMicrovm: onMicrovm("lambda:TerminateMicrovm"),
  CreateMicrovmAuthToken: onMicrovm("lambda:CreateMicrovmAuthToken"),
  CreateMicrovmShellAuthToken: onMicrovm("lambda:CreateMicrovmShellAuthToken"),
  TagResource: onTagged("lambda:TagResource"),
  UntagResource: onTagged("lambda:UntagResource"),
  ListTags: onTagged("lambda:ListTags"),
  CreateNetworkConnector: createConnector,
  GetNetworkConnector: onConnector("lambda:GetNetworkConnector"),
  ListNetworkConnectors: onAnything("lambda:ListNetworkConnectors"),
  UpdateNetworkConnector: onConnector("lambda:UpdateNetworkConnector"),
  DeleteNetworkConnector: onConnector("lambda:DeleteNetworkConnector"),
};

export const STS_PERMISSIONS: PermissionTable = {
  GetCallerIdentity: NOTHING,
  AssumeRole: NOTHING, // its trust policy may do without the caller's policies, so it asks for itself
};
