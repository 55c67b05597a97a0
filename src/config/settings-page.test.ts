import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SETTINGS, settingsHelp, settingsPage } from "./settings-page.ts";

test("the page of the documentation is what the table says now", async () => {
  const page = await readFile(join(import.meta.dirname, "../../docs/configuration.md"), "utf8");
  expect(page).toBe(settingsPage());
});

test("the help names every setting once, and no path of this machine", () => {
  const help = settingsHelp();
  for (const { name } of SETTINGS) expect(help.match(new RegExp(`^ {2}${name}(=|$)`, "gm"))).toHaveLength(1);
  expect(help).not.toContain(process.cwd());
});
