/** Who signed a request. */
export interface Principal {
  /** "arn:aws:iam::123456789012:root", a role session, or a service acting in a role. */
  readonly arn: string;
  readonly accountId: string;
  readonly accessKeyId: string;
  /** The bootstrap key may do everything. */
  readonly isAdministrator: boolean;
}
