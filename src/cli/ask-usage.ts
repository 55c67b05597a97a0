import { LambdaMicrovmsClient } from "@aws-sdk/client-lambda-microvms";
import { Command } from "@smithy/core/client";
import { getEndpointPlugin } from "@smithy/core/endpoints";
import { AppError } from "../errors/app-error.ts";
import { GetUsage$ } from "../model/usage-api.ts";
import type { UsageReport } from "../model/usage-report.ts";
import { environment } from "./env.ts";
import { clientSettings } from "./client-settings.ts";

export interface UsageQuestion {
  readonly from?: string;
  readonly until?: string;
}

/** The SDK's client signs and sends it as an operation of its own: it takes any that comes in the form of its schemas. */
const GetUsageCommand = Command.classBuilder()
  .ep({
    Endpoint: { type: "builtInParams", name: "endpoint" },
    Region: { type: "builtInParams", name: "region" },
    UseFIPS: { type: "builtInParams", name: "useFipsEndpoint" },
    UseDualStack: { type: "builtInParams", name: "useDualstackEndpoint" },
  })
  .m((command, _stack, config) => [getEndpointPlugin(config as never, command.getEndpointParameterInstructions())])
  .s("Catnap", "GetUsage", {})
  .n("LambdaMicrovmsClient", "GetUsageCommand")
  .sc(GetUsage$ as never)
  .build();

/** What the account of `catnap env` used. */
export async function askUsage(question: UsageQuestion): Promise<UsageReport> {
  const variables = await environment();
  if (variables === undefined)
    throw new AppError("ERR_CONFIG_INVALID", { message: "Catnap is not running; start it with: catnap up --detach" });
  const client = new LambdaMicrovmsClient(clientSettings(variables));
  try {
    const answer: unknown = await client.send(new GetUsageCommand(question) as never);
    return (answer as { report: UsageReport }).report;
  } catch (cause) {
    throw new AppError("ERR_SERVICE_FAULT", { message: cause instanceof Error ? cause.message : String(cause), cause });
  } finally {
    client.destroy();
  }
}
