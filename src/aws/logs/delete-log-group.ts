import type { DeleteLogGroupCommandInput } from "@aws-sdk/client-cloudwatch-logs";
import { deleteGroup } from "../../logs/log-groups.ts";
import type { Operation } from "../service.ts";
import { requireGroup, type LogsDependencies } from "./logs-lookup.ts";

export function deleteLogGroup({ db }: LogsDependencies): Operation<DeleteLogGroupCommandInput, object> {
  return async ({ logGroupName }, context) => {
    await deleteGroup(db, (await requireGroup(db, context, { logGroupName })).id);
    return {};
  };
}
