import { ServiceFault } from "../../errors/service-fault.ts";
import { GetUsage$, parseMoment, ValidationException$ } from "../../model/usage-api.ts";
import type { UsageReport } from "../../model/usage-report.ts";
import type { UsageReporter } from "../../metering/usage-report.ts";
import type { Operation, ServiceDefinition } from "../service.ts";

export interface UsageServiceOptions {
  readonly reporter: UsageReporter;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

interface GetUsageInput {
  readonly from?: string;
  readonly until?: string;
}

/** What an account used and what that costs; the service has no such call. */
export function createUsageService({ reporter, now = Date.now }: UsageServiceOptions): ServiceDefinition {
  const getUsage: Operation<GetUsageInput, { report: UsageReport }> = async (input, { accountId }) => {
    const present = now();
    const from = input.from === undefined ? 0 : momentOf("from", input.from);
    const until = input.until === undefined ? present : momentOf("until", input.until);
    if (from >= until) throw invalid("until is not after from");
    return { report: await reporter.report(accountId, { from, until: Math.min(until, present) }) };
  };
  return {
    signingName: "lambda",
    protocol: "restJson1",
    schemas: { GetUsage$, ValidationException$ },
    operations: { GetUsage: getUsage },
  };
}

function momentOf(member: string, text: string): number {
  const time = parseMoment(text);
  if (time === undefined) throw invalid(`${member} is not a day (2026-01-31) or a moment (2026-01-31T12:00:00Z)`);
  return time;
}

function invalid(message: string): ServiceFault {
  return new ServiceFault("ValidationException", message, { status: 400 });
}
