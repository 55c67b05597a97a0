import { AppError } from "../errors/app-error.ts";
import { OPTIONS, type Config, type OptionName } from "./options.ts";

/** Reads the configuration from environment variables, overridden by flags; ERR_CONFIG_INVALID names the setting. */
export function loadConfig(
  environment: Record<string, string | undefined> = process.env,
  flags: Partial<Record<OptionName, unknown>> = {},
): Config {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(OPTIONS) as OptionName[]) {
    const option = OPTIONS[name];
    const given = flags[name] ?? environment[option.env];
    const parsed = option.schema.safeParse(given === undefined || given === "" ? option.default : given);
    if (!parsed.success) {
      const why = parsed.error.issues
        .map(({ path, message }) => (path.length > 0 ? `${path.join(".")}: ${message}` : message))
        .join("; ");
      throw new AppError("ERR_CONFIG_INVALID", {
        message: `${option.env}=${JSON.stringify(given)} is not valid: ${why}. ${option.help}`,
      });
    }
    values[name] = parsed.data;
  }
  return values as Config;
}
