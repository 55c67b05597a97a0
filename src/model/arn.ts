/** The parts of `arn:partition:service:region:account:resource`; `resource` may hold further colons. */
export interface Arn {
  readonly partition: string;
  readonly service: string;
  readonly region: string;
  readonly account: string;
  readonly resource: string;
}

export interface ImageArn {
  readonly region: string;
  /** Twelve digits, or "aws" for a managed image. */
  readonly account: string;
  readonly name: string;
}

export interface RoleArn {
  readonly accountId: string;
  /** "/" or "/some/path/" */
  readonly path: string;
  readonly name: string;
}

const ARN = /^arn:([a-z0-9-]+):([a-z0-9-]+):([a-z0-9-]*):([a-z0-9]*):(.+)$/s;
const IMAGE_RESOURCE = /^microvm-image:([a-zA-Z0-9_-]{1,64})$/;
const REGION = /^[a-z]{2}(-[a-z]+)+-\d$/;
const ROLE_RESOURCE = /^role(\/(?:[\x21-\x2e\x30-\x7e]+\/)*)([\w+=,.@-]{1,64})$/;

export function parseArn(text: string): Arn | undefined {
  const match = ARN.exec(text);
  if (!match) return undefined;
  const [, partition = "", service = "", region = "", account = "", resource = ""] = match;
  return { partition, service, region, account, resource };
}

/** An image ARN in the colon form only (contract 2.4); undefined for anything else. */
export function parseImageArn(text: string): ImageArn | undefined {
  const arn = parseArn(text);
  if (!arn || arn.partition !== "aws" || arn.service !== "lambda" || !REGION.test(arn.region)) return undefined;
  const name = IMAGE_RESOURCE.exec(arn.resource)?.[1];
  if (name === undefined || !/^(\d{12}|aws)$/.test(arn.account)) return undefined;
  return { region: arn.region, account: arn.account, name };
}

export function imageArn({ region, account, name }: ImageArn): string {
  return `arn:aws:lambda:${region}:${account}:microvm-image:${name}`;
}

/** An IAM role ARN; undefined for anything else. */
export function parseRoleArn(text: string): RoleArn | undefined {
  const arn = parseArn(text);
  if (!arn || arn.service !== "iam" || arn.region !== "" || !/^\d{12}$/.test(arn.account)) return undefined;
  const match = ROLE_RESOURCE.exec(arn.resource);
  if (!match) return undefined;
  const [, path = "/", name = ""] = match;
  return { accountId: arn.account, path, name };
}

export function roleArn({ accountId, path, name }: RoleArn): string {
  return `arn:aws:iam::${accountId}:role${path}${name}`;
}

/** Temporary credentials of a role; the role's path is not part of it. */
export function roleSessionArn(of: { accountId: string; roleName: string; sessionName: string }): string {
  return `arn:aws:sts::${of.accountId}:assumed-role/${of.roleName}/${of.sessionName}`;
}
