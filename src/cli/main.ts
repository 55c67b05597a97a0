import { Command } from "commander";
import { OPTIONS } from "../config/options.ts";
import { AppError } from "../errors/app-error.ts";
import { doctor } from "./doctor.ts";
import { down } from "./down.ts";
import { env } from "./env.ts";
import { up } from "./up.ts";

const settings = Object.values(OPTIONS).map(
  (option) => `  ${option.env.padEnd(26)}${option.help}${option.default === "" ? "" : ` (${option.default})`}`,
);

const program = new Command("catnap")
  .description("AWS Lambda MicroVMs on machines you own")
  .addHelpText("after", `\nSettings (environment variables):\n${settings.join("\n")}`);

const run =
  (command: (options: Record<string, boolean>) => Promise<number>) => async (options: Record<string, boolean>) => {
    process.exitCode = await command(options);
  };

program.command("up").description("start the server").option("-d, --detach", "return once it is up").action(run(up));
program.command("down").description("put every running microVM to sleep and stop the server").action(run(down));
program
  .command("env")
  .description('print variables for AWS clients: eval "$(catnap env)"')
  .option("--json", "as JSON")
  .action(run(env));
program
  .command("doctor")
  .description("say what is missing on this host and how to mend it")
  .option("--json", "as JSON")
  .action(run(doctor));

program.exitOverride((error) => {
  process.exit(error.exitCode === 0 ? 0 : 2);
});

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof AppError ? error.message : String((error as Error).stack)}\n`);
  process.exitCode = 1;
}
