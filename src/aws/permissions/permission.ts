import type { PolicyContext } from "../../auth/policy-context.ts";
import type { ImageFacts } from "./image-facts.ts";

/** One thing a call wants to do, as policies speak of it. */
export interface Permission {
  /** "s3:GetObject" */
  readonly action: string;
  /** An ARN, or "*" for actions on no resource: only policies on "*" allow those (contract 12). */
  readonly resource: string;
  /** Condition keys of this permission beside those of the caller. */
  readonly context?: PolicyContext;
  /** What of the call is left out when this is refused, while the rest goes on: one key of DeleteObjects. */
  readonly part?: string;
}

export interface PermissionScope {
  readonly accountId: string;
  readonly region: string;
  readonly images: ImageFacts;
  /** The connector that a caller names by id, name or ARN; undefined when there is none. */
  readonly connectorArn: (identifier: string) => Promise<string | undefined>;
  /** Path and spelling of a role on record; undefined when there is none. */
  readonly roleArn: (name: string) => Promise<string | undefined>;
}

/** All that an operation with this input needs; the input has not been checked yet. */
export type PermissionRule = (
  // oxlint-disable-next-line typescript/no-explicit-any -- each rule reads the members of its own operation
  input: any,
  scope: PermissionScope,
) => readonly Permission[] | Promise<readonly Permission[]>;

export type PermissionTable = Readonly<Record<string, PermissionRule>>;

/** For what anybody may call, or what asks for permission itself. */
export const NOTHING: PermissionRule = () => [];

/** An action on no resource. */
export function onAnything(action: string): PermissionRule {
  return () => [{ action, resource: "*" }];
}
