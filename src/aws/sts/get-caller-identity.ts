import type { GetCallerIdentityCommandInput, GetCallerIdentityCommandOutput } from "@aws-sdk/client-sts";
import { userIdOf } from "../../auth/caller-context.ts";
import type { Operation } from "../service.ts";

/** Needs no permission: whoever can sign may know who they are. */
export const getCallerIdentity: Operation<
  GetCallerIdentityCommandInput,
  Omit<GetCallerIdentityCommandOutput, "$metadata">
> = async (_input, { principal }) => ({
  UserId: userIdOf(principal),
  Account: principal.accountId,
  Arn: principal.arn,
});
