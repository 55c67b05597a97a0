import { OPTIONS, type OptionName } from "./options.ts";

export interface Setting {
  /** Environment variable. */
  readonly name: string;
  /** As it would be typed; empty where nothing is set. */
  readonly default: string;
  readonly help: string;
}

/** The folder that holds this checkout is nobody's default but its owner's. */
const PROJECT = new URL("../../", import.meta.url).pathname;

export const SETTINGS: readonly Setting[] = (Object.keys(OPTIONS) as OptionName[]).map((option) => {
  const { env, default: value, help } = OPTIONS[option];
  return { name: env, default: String(value).replace(PROJECT, ""), help };
});

/** docs/configuration.md. */
export function settingsPage(): string {
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const rows = SETTINGS.map(
    ({ name, default: value, help }) => `| \`${name}\` | ${value === "" ? "" : `\`${value}\``} | ${cell(help)} |`,
  );
  return [
    "# Configuration",
    "",
    "Environment variables of `catnap up`; a value that is not valid is named with what it should be. This page is written by",
    "`./dev node tools/write-configuration.ts` from the table in `src/config/options.ts`.",
    "",
    "| Variable | Default | Meaning |",
    "|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

/** For `catnap up --help`. */
export function settingsHelp(): string {
  const lines = SETTINGS.map(
    ({ name, default: value, help }) => `  ${name}${value === "" ? "" : `=${value}`}\n      ${help}`,
  );
  return `\nSettings, from the environment:\n${lines.join("\n")}\n`;
}
