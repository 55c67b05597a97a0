/** One question to IAM: may this role do this to that? */
export interface AccessRequest {
  /** The role that acts. */
  readonly roleArn: string;
  readonly accountId: string;
  /** "s3:GetObject" */
  readonly action: string;
  readonly resource: string;
  /** The image or microVM on whose behalf it happens: `aws:SourceArn` in conditions. */
  readonly sourceArn?: string;
}

export type AccessDecision =
  /** `by` names the statement that allows it. */
  | { readonly allowed: true; readonly by?: string }
  /** Why not: role missing, not assumable by the service, no statement allows it, or a statement denies it. */
  | { readonly allowed: false; readonly why: string };

export interface Authorizer {
  /** Whether lambda.amazonaws.com may assume the role and the role's policies allow the action. */
  authorize(request: AccessRequest): Promise<AccessDecision>;
}
