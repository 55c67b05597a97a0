import { Command } from "commander";
import { settingsHelp } from "../config/settings-page.ts";
import { OPTIONS } from "../config/options.ts";
import { AppError } from "../errors/app-error.ts";
import { doctor } from "./doctor.ts";
import { down } from "./down.ts";
import { env } from "./env.ts";
import { exec, type ExecOptions } from "./exec.ts";
import { open } from "./open.ts";
import { shell } from "./shell.ts";
import { up } from "./up.ts";
import { usage, type UsageOptions } from "./usage.ts";

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

program
  .command("up")
  .description("start the server")
  .option("-d, --detach", "return once it is up")
  .addHelpText("after", settingsHelp)
  .action(run(up));
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
program
  .command("open <microvm-id>")
  .description("print a link that opens the endpoint in a browser, once and for two minutes")
  .option("-p, --port <port>", "the application's port", "8080")
  .action(async (microvmId: string, options: { port: string }) => {
    process.exitCode = await open(microvmId, options.port);
  });
program
  .command("shell <microvm-id>")
  .description("a terminal in a microVM that was run with SHELL_INGRESS")
  .action(async (microvmId: string) => {
    process.exitCode = await shell(microvmId);
  });
program
  .command("exec <microvm-id> <command...>")
  .description("run a command beside the application: catnap exec ID -- CMD …")
  .option("-t, --tty", "on a terminal")
  .option("-u, --user <user>", "as another user of the image")
  .option("-w, --workdir <directory>", "in another directory")
  .option(
    "-e, --env <name=value>",
    "with a further variable (may be repeated)",
    (entry, all: string[]) => [...all, entry],
    [],
  )
  .action(async (microvmId: string, command: string[], options: ExecOptions) => {
    process.exitCode = await exec(microvmId, command, options);
  });

program
  .command("usage")
  .description("what microVMs and images used, and what that costs (CATNAP_PRICES)")
  .option("--from <moment>", "from this day or moment on: 2026-01-31, 2026-01-31T12:00:00Z")
  .option("--until <moment>", "up to this day or moment")
  .option("--by <what>", "a line per microvm, per image, or the total alone", "microvm")
  .option("--json", "everything, as JSON")
  .option("--csv", "as comma-separated values")
  .action(async (options: UsageOptions) => {
    process.exitCode = await usage(options);
  });

program.exitOverride((error) => {
  process.exit(error.exitCode === 0 ? 0 : 2);
});

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof AppError ? error.message : String((error as Error).stack)}\n`);
  process.exitCode = 1;
}
