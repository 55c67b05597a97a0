import type { CreateLogGroupCommandInput } from "@aws-sdk/client-cloudwatch-logs";
import { insertGroup } from "../../logs/log-groups.ts";
import { must } from "../../util/assert.ts";
import type { Operation } from "../service.ts";
import { alreadyExists } from "./logs-faults.ts";
import type { LogsDependencies } from "./logs-lookup.ts";

export function createLogGroup({ db, now }: LogsDependencies): Operation<CreateLogGroupCommandInput, object> {
  return async ({ logGroupName, tags }, context) => {
    const name = must(logGroupName, "a log group");
    if (!(await insertGroup(db, context, { name, createdAt: now(), tags }))) throw alreadyExists("group");
    return {};
  };
}
