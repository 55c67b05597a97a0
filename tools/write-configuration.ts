import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { settingsPage } from "../src/config/settings-page.ts";

/** Writes docs/configuration.md from the table of options. */
await writeFile(join(import.meta.dirname, "../docs/configuration.md"), settingsPage());
