import type { Denial } from "./not-authorized.ts";
import type { OperationContext } from "./service.ts";

/** A call whose input has been read and not yet judged. */
export interface AuthorizableCall {
  readonly signingName: string;
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly context: OperationContext;
}

export type CallDecision =
  | {
      readonly allowed: true;
      readonly resources: readonly string[];
      readonly by: string;
      /** Parts of the call that are not allowed, where each is answered for itself. */
      readonly refusedParts: ReadonlyMap<string, Denial>;
    }
  | ({ readonly allowed: false } & Denial);

/** Decides for callers who are bound by policies; who may do everything is not asked. */
export interface CallAuthorizer {
  authorize(call: AuthorizableCall): Promise<CallDecision>;
}

/** Where no policies are known, only who may do everything gets in. */
export const NO_POLICIES: CallAuthorizer = {
  async authorize({ signingName, operation }) {
    const action = `${signingName}:${operation}`;
    return { allowed: false, action, resource: "*", why: "because this endpoint knows no policies" };
  },
};
