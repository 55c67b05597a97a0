import { AppError } from "../errors/app-error.ts";

/** A policy as this project understands it: every scalar-or-list spelled as a list. */
export interface PolicyDocument {
  readonly version: "2012-10-17" | "2008-10-17";
  readonly statements: readonly PolicyStatement[];
}

export interface PolicyStatement {
  readonly sid: string | undefined;
  readonly effect: "Allow" | "Deny";
  readonly action: Selection;
  /** Absent in trust policies. */
  readonly resource: Selection | undefined;
  /** Absent in the policies of an identity. */
  readonly principal: PrincipalSelection | undefined;
  readonly conditions: readonly PolicyCondition[];
}

/** `Action` or `NotAction`, `Resource` or `NotResource`. */
export interface Selection {
  readonly patterns: readonly string[];
  readonly negated: boolean;
}

export interface PrincipalSelection {
  /** "*" as a whole, or values by principal type: Service, AWS, Federated, CanonicalUser. */
  readonly principals: "*" | Readonly<Record<string, readonly string[]>>;
  readonly negated: boolean;
}

export interface PolicyCondition {
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
}

export type PolicyKind = "trust" | "identity";

const STATEMENT_ELEMENTS = new Set([
  "Sid",
  "Effect",
  "Principal",
  "NotPrincipal",
  "Action",
  "NotAction",
  "Resource",
  "NotResource",
  "Condition",
]);
const PRINCIPAL_TYPES = new Set(["Service", "AWS", "Federated", "CanonicalUser"]);
const ACTION = /^(\*|[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+)$/;

/** Why a text is not a policy, in IAM's words; callers answer MalformedPolicyDocument with it. */
export class PolicySyntaxError extends AppError {
  constructor(message: string, cause?: unknown) {
    super("ERR_POLICY_SYNTAX", { message, cause });
  }
}

/** Parses and checks a policy text; throws PolicySyntaxError. */
export function parsePolicy(text: string, kind: PolicyKind): PolicyDocument {
  const document = parseJson(text);
  for (const name of Object.keys(document)) if (!["Version", "Id", "Statement"].includes(name)) throw syntaxError();
  const version = document["Version"] ?? "2008-10-17";
  if (version !== "2012-10-17" && version !== "2008-10-17") throw syntaxError();
  const given = document["Statement"];
  if (given === undefined) throw syntaxError();
  const statements = (Array.isArray(given) ? given : [given]).map((statement) => parseStatement(statement, kind));
  if (statements.length === 0) throw syntaxError();
  const sids = statements.flatMap(({ sid }) => (sid ? [sid] : []));
  if (new Set(sids).size !== sids.length)
    throw new PolicySyntaxError("Statement IDs (SID) in a single policy must be unique.");
  return { version, statements };
}

function parseJson(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (isRecord(value)) return value;
  } catch (cause) {
    throw new PolicySyntaxError("This policy contains invalid Json", cause);
  }
  throw syntaxError();
}

function parseStatement(value: unknown, kind: PolicyKind): PolicyStatement {
  if (!isRecord(value)) throw syntaxError();
  for (const name of Object.keys(value)) if (!STATEMENT_ELEMENTS.has(name)) throw syntaxError();
  const { Sid: sid, Effect: effect } = value;
  if (sid !== undefined && typeof sid !== "string") throw syntaxError();
  if (effect !== "Allow" && effect !== "Deny") throw syntaxError();
  return {
    sid,
    effect,
    action: parseActions(value),
    resource: parseResources(value, kind),
    principal: parsePrincipal(value, kind),
    conditions: parseConditions(value["Condition"]),
  };
}

function parseActions(statement: Record<string, unknown>): Selection {
  const action = selection(statement, "Action", "NotAction");
  if (!action) throw new PolicySyntaxError("Policy statement must contain actions.");
  for (const pattern of action.patterns) {
    if (!ACTION.test(pattern))
      throw new PolicySyntaxError("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
  }
  return action;
}

function parseResources(statement: Record<string, unknown>, kind: PolicyKind): Selection | undefined {
  const resource = selection(statement, "Resource", "NotResource");
  if (kind === "trust") {
    if (resource) throw new PolicySyntaxError("Has prohibited field Resource");
    return undefined;
  }
  if (!resource) throw new PolicySyntaxError("Policy statement must contain resources.");
  for (const pattern of resource.patterns) {
    if (pattern !== "*" && !/^(arn|\*|\$\{)/.test(pattern)) {
      throw new PolicySyntaxError(`Resource ${pattern} must be in ARN format or "*".`);
    }
  }
  return resource;
}

function parsePrincipal(statement: Record<string, unknown>, kind: PolicyKind): PrincipalSelection | undefined {
  const { Principal: plain, NotPrincipal: inverse } = statement;
  if (kind === "identity") {
    if (plain !== undefined || inverse !== undefined)
      throw new PolicySyntaxError("Policy document should not specify a principal.");
    return undefined;
  }
  if (plain !== undefined && inverse !== undefined) throw syntaxError();
  const given = plain ?? inverse;
  if (given === undefined) throw new PolicySyntaxError("Missing required field Principal");
  const negated = plain === undefined;
  if (given === "*") return { principals: "*", negated };
  if (!isRecord(given) || Object.keys(given).length === 0) throw new PolicySyntaxError("Invalid principal in policy");
  const principals = Object.entries(given).map(([type, values]) => {
    const parsed = stringList(values);
    if (!PRINCIPAL_TYPES.has(type) || !parsed) throw new PolicySyntaxError("Invalid principal in policy");
    return [type, parsed] as const;
  });
  return { principals: Object.fromEntries(principals), negated };
}

function parseConditions(given: unknown): PolicyCondition[] {
  if (given === undefined) return [];
  if (!isRecord(given)) throw syntaxError();
  return Object.entries(given).flatMap(([operator, keys]) => {
    if (!isRecord(keys)) throw syntaxError();
    return Object.entries(keys).map(([key, values]) => {
      const scalars = Array.isArray(values) ? values : [values];
      if (!scalars.every((value) => ["string", "number", "boolean"].includes(typeof value))) throw syntaxError();
      return { operator, key, values: scalars.map(String) };
    });
  });
}

function selection(statement: Record<string, unknown>, plain: string, negative: string): Selection | undefined {
  const negated = statement[negative] !== undefined;
  if (negated && statement[plain] !== undefined) throw syntaxError();
  const given = statement[negated ? negative : plain];
  if (given === undefined) return undefined;
  const patterns = stringList(given);
  if (!patterns) throw syntaxError();
  return { patterns, negated };
}

function stringList(value: unknown): string[] | undefined {
  const items: unknown[] = Array.isArray(value) ? value : [value];
  const isStrings = items.length > 0 && items.every((item) => typeof item === "string" && item !== "");
  return isStrings ? (items as string[]) : undefined;
}

function syntaxError(): PolicySyntaxError {
  return new PolicySyntaxError("Syntax errors in policy.");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
