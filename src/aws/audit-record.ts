import { randomUUID } from "node:crypto";
import type { Principal } from "../auth/principal.ts";
import { userIdOf } from "../auth/caller-context.ts";
import type { AnsweredCall } from "./api-call.ts";
import { auditedResource, isDataEvent, requestNames, responseElements, type AuditedResource } from "./audit-things.ts";

/** One call in the shape of a CloudTrail record (contract 11), and what Catnap decided about it. */
export interface AuditRecord {
  readonly eventVersion: "1.11";
  readonly eventTime: string;
  readonly eventID: string;
  readonly eventType: "AwsApiCall";
  readonly eventSource: string;
  readonly eventName: string;
  readonly readOnly: boolean;
  readonly awsRegion?: string;
  readonly requestID: string;
  readonly sourceIPAddress?: string;
  readonly userAgent?: string;
  readonly recipientAccountId?: string;
  readonly userIdentity: object;
  readonly requestParameters: object;
  /** Of calls that change something. */
  readonly responseElements: object | null;
  readonly resources?: readonly AuditedResource[];
  readonly managementEvent: boolean;
  readonly eventCategory: "Management" | "Data";
  readonly errorCode?: string;
  readonly additionalEventData: object;
}

export interface AuditedRequest {
  readonly requestId: string;
  readonly at: Date;
  readonly durationMs: number;
  readonly sourceAddress?: string;
  readonly userAgent?: string;
}

/** Members that name things; everything else of a request, which may be secret or large, stays out. */
const NAMING_MEMBERS = [
  "imageIdentifier",
  "imageVersion",
  "microvmIdentifier",
  "buildId",
  "name",
  "buildRoleArn",
  "executionRoleArn",
  "Resource",
  "Identifier",
  "Name",
  "OperatorRole",
  "Bucket",
  "Key",
  "CopySource",
  "Prefix",
  "RoleName",
  "PolicyName",
  "RoleArn",
  "RoleSessionName",
  "logGroupName",
  "logGroupIdentifier",
  "logStreamName",
  "logGroupNamePrefix",
] as const;

const MAX_VALUE_CHARACTERS = 1024;
const MAX_RESOURCES = 20;

export function auditRecord(call: AnsweredCall, request: AuditedRequest): AuditRecord {
  const { service, operation, caller, access, fault } = call;
  const isReadOnly = /^(Get|List|Head|Describe|Filter)/.test(operation ?? "");
  const isData = isDataEvent(service, operation);
  return {
    eventVersion: "1.11",
    eventTime: request.at.toISOString(),
    eventID: randomUUID(),
    eventType: "AwsApiCall",
    eventSource: `${service ?? "unknown"}.amazonaws.com`,
    eventName: operation ?? "Unknown",
    readOnly: isReadOnly,
    awsRegion: caller?.region,
    requestID: request.requestId,
    sourceIPAddress: request.sourceAddress,
    userAgent: request.userAgent?.slice(0, MAX_VALUE_CHARACTERS),
    recipientAccountId: caller?.principal.accountId,
    userIdentity: caller ? identityOf(caller.principal) : { type: "Unknown", accessKeyId: call.accessKeyId },
    requestParameters: names(call.input ?? {}, requestNames(operation)),
    responseElements: isReadOnly ? null : responseElements(operation, call.output),
    resources: resourcesOf(call),
    managementEvent: !isData,
    eventCategory: isData ? "Data" : "Management",
    errorCode: fault?.shape,
    additionalEventData: {
      decision: decisionOf(call),
      reason: reasonOf(call),
      action: access && !access.allowed ? access.action : undefined,
      httpStatus: call.response.status,
      durationMs: request.durationMs,
    },
  };
}

function identityOf(principal: Principal): object {
  const { identity, isAdministrator, arn, accountId, accessKeyId } = principal;
  const type = isAdministrator ? "Root" : identity?.kind === "session" ? "AssumedRole" : "IAMUser";
  const userName = identity?.kind === "user" ? identity.name : undefined;
  return { type, principalId: userIdOf(principal), arn, accountId, accessKeyId, userName };
}

function decisionOf({ caller, access, fault }: AnsweredCall): string {
  if (!caller) return "not authenticated";
  if (isAccessDenied(fault)) return "denied";
  if (!access) return caller.principal.isAdministrator ? "allowed: the root of the account" : "not asked";
  if (!access.allowed) return "denied";
  return access.refusedParts.size > 0 ? "allowed in part" : "allowed";
}

/** An operation that asks for itself, such as AssumeRole, tells the reason in its refusal. */
function reasonOf({ access, fault }: AnsweredCall): string | undefined {
  if (access && !access.allowed) return access.why;
  const [refused] = access?.refusedParts.values() ?? [];
  if (refused) return refused.why;
  if (isAccessDenied(fault)) return fault?.message;
  return access?.by;
}

function isAccessDenied(fault: AnsweredCall["fault"]): boolean {
  return fault?.shape === "AccessDenied" || fault?.shape === "AccessDeniedException";
}

/** What the policies were asked about; for who is not bound by any, what the call names by its ARN. */
function resourcesOf({ access, input = {} }: AnsweredCall): AuditedResource[] | undefined {
  if (!access) {
    const named = [input["imageIdentifier"], input["Resource"], input["Identifier"]].filter(isArn);
    return named.length > 0 ? named.map(auditedResource) : undefined;
  }
  const arns = access.allowed ? access.resources.slice(0, MAX_RESOURCES) : [access.resource];
  return arns.map(auditedResource);
}

function isArn(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_VALUE_CHARACTERS && value.startsWith("arn:");
}

function names(
  input: Readonly<Record<string, unknown>>,
  recorded: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    NAMING_MEMBERS.flatMap((name) => {
      const value = input[name];
      return typeof value === "string" ? [[recorded[name] ?? name, value.slice(0, MAX_VALUE_CHARACTERS)]] : [];
    }),
  );
}
