import type { GetCallerIdentityCommandInput, GetCallerIdentityCommandOutput } from "@aws-sdk/client-sts";
import type { Operation } from "../service.ts";

/** The account id is the user id of the account's root, as at STS; anybody else is known by their access key. */
export const getCallerIdentity: Operation<
  GetCallerIdentityCommandInput,
  Omit<GetCallerIdentityCommandOutput, "$metadata">
> = async (_input, { principal }) => {
  const isRoot = principal.arn.endsWith(":root");
  return {
    UserId: isRoot ? principal.accountId : principal.accessKeyId,
    Account: principal.accountId,
    Arn: principal.arn,
  };
};
