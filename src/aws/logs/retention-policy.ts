import type {
  DeleteRetentionPolicyCommandInput,
  PutRetentionPolicyCommandInput,
} from "@aws-sdk/client-cloudwatch-logs";
import { updateGroup } from "../../logs/log-groups.ts";
import type { Operation } from "../service.ts";
import { invalidParameter } from "./logs-faults.ts";
import { requireGroup, type LogsDependencies } from "./logs-lookup.ts";

/** The service takes no other numbers of days. */
const DAYS: readonly number[] = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

export function putRetentionPolicy({ db }: LogsDependencies): Operation<PutRetentionPolicyCommandInput, object> {
  return async ({ logGroupName, retentionInDays = 0 }, context) => {
    if (!DAYS.includes(retentionInDays))
      throw invalidParameter(`retentionInDays must be one of ${DAYS.join(", ")}, not ${retentionInDays}`);
    const group = await requireGroup(db, context, { logGroupName });
    await updateGroup(db, group.id, { retention_days: retentionInDays });
    return {};
  };
}

export function deleteRetentionPolicy({ db }: LogsDependencies): Operation<DeleteRetentionPolicyCommandInput, object> {
  return async ({ logGroupName }, context) => {
    const group = await requireGroup(db, context, { logGroupName });
    await updateGroup(db, group.id, { retention_days: null });
    return {};
  };
}
