/* What a record of the audit trail says of the things that a call was about (contract 11). */

/** A thing as CloudTrail names it. */
export interface AuditedResource {
  readonly ARN: string;
  readonly type?: string;
  readonly accountId?: string;
}

type Members = Readonly<Record<string, unknown>>;

/** What the service counts as use of a thing, not as management: its trail has it only on demand. */
const DATA_EVENTS: ReadonlySet<string> = new Set([
  "RunMicrovm",
  "TerminateMicrovm",
  "SuspendMicrovm",
  "ResumeMicrovm",
  "CreateMicrovmAuthToken",
  "CreateMicrovmShellAuthToken",
]);
const S3_DATA_EVENT = /Object|Multipart|Part$|^ListParts$/;

export function isDataEvent(service: string | undefined, operation: string | undefined): boolean {
  if (operation === undefined) return false;
  return service === "s3" ? S3_DATA_EVENT.test(operation) : DATA_EVENTS.has(operation);
}

const TYPES: readonly (readonly [RegExp, string])[] = [
  [/^arn:[\w-]+:lambda:[^:]*:[^:]*:microvm-image:/, "AWS::Lambda::MicrovmImage"],
  [/^arn:[\w-]+:lambda:[^:]*:[^:]*:network-connector:/, "AWS::Lambda::NetworkConnector"],
  [/^arn:[\w-]+:iam::\d*:role\//, "AWS::IAM::Role"],
  [/^arn:[\w-]+:s3:::[^/]+\//, "AWS::S3::Object"],
  [/^arn:[\w-]+:s3:::[^/]+$/, "AWS::S3::Bucket"],
];

export function auditedResource(arn: string): AuditedResource {
  const type = TYPES.find(([pattern]) => pattern.test(arn))?.[1];
  const accountId = arn.split(":")[4];
  return { ARN: arn, ...(type !== undefined && { type }), ...(accountId && { accountId }) };
}

/** Names of members as the service's records have them, which are not the API's (contract 11). */
const RUN_REQUEST = { imageIdentifier: "microvmImageArn", imageVersion: "microvmImageVersion" };
const RUN_RESPONSE = {
  microvmId: "microvmId",
  state: "microvmState",
  endpoint: "endpoint",
  imageArn: "microvmImageArn",
  imageVersion: "microvmImageVersion",
};
/** Of other calls that change something: what tells which thing it is and what became of it. */
const NAMING_RESPONSE = ["imageArn", "imageIdentifier", "imageVersion", "state", "status", "Arn", "Id", "State"];

export function requestNames(operation: string | undefined): Readonly<Record<string, string>> {
  return operation === "RunMicrovm" ? RUN_REQUEST : {};
}

/** Never a token or a secret: members are named one by one. */
export function responseElements(operation: string | undefined, output: Members | undefined): Members | null {
  if (output === undefined) return null;
  const names =
    operation === "RunMicrovm" ? RUN_RESPONSE : Object.fromEntries(NAMING_RESPONSE.map((name) => [name, name]));
  const found = Object.entries(names).flatMap(([name, recorded]) =>
    typeof output[name] === "string" ? [[recorded, output[name]] as const] : [],
  );
  return found.length > 0 ? Object.fromEntries(found) : null;
}
