import type { CreateLogStreamCommandInput } from "@aws-sdk/client-cloudwatch-logs";
import { insertStream } from "../../logs/log-groups.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { alreadyExists } from "./logs-faults.ts";
import { requireGroup, type LogsDependencies } from "./logs-lookup.ts";

export function createLogStream({ db, now }: LogsDependencies): Operation<CreateLogStreamCommandInput, object> {
  return async ({ logGroupName, logStreamName }, context) => {
    const group = await requireGroup(db, context, { logGroupName });
    const isNew = await insertStream(db, group.id, { name: must(logStreamName, "a log stream"), createdAt: now() });
    if (!isNew) throw alreadyExists("stream");
    return {};
  };
}
