import type { DeleteLogStreamCommandInput } from "@aws-sdk/client-cloudwatch-logs";
import { deleteStream } from "../../logs/log-groups.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { requireGroup, requireStream, type LogsDependencies } from "./logs-lookup.ts";

export function deleteLogStream({ db }: LogsDependencies): Operation<DeleteLogStreamCommandInput, object> {
  return async ({ logGroupName, logStreamName }, context) => {
    const group = await requireGroup(db, context, { logGroupName });
    await deleteStream(db, (await requireStream(db, group, must(logStreamName, "a log stream"))).id);
    return {};
  };
}
