/** Checks every import of the project: it resolves, it points down (import-levels.ts), and none closes a cycle. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { join, normalize } from "node:path";
import { findCycles } from "./import-cycles.ts";
import { judge, type Import } from "./import-levels.ts";

const FOLDERS = ["src", "test", "bench", "tools"];

/** `import … from "x"`, `export … from "x"`, `import "x"`, `import("x")`; the formatter keeps statements at line starts. */
const SPECIFIER = /^(?:import|export)\b[^"';]*?\bfrom\s*"([^"]+)"|^import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"/gm;

function importsOf(file: string, text: string): Import[] {
  return [...text.matchAll(SPECIFIER)].map((match) => {
    const specifier = match[1] ?? match[2] ?? match[3] ?? "";
    return {
      from: file,
      to: specifier.startsWith(".") ? normalize(join(file, "..", specifier)) : packageOf(specifier),
    };
  });
}

/** `@scope/name/part` is the package `@scope/name`. */
function packageOf(specifier: string): string {
  if (specifier.startsWith("node:")) return specifier;
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

function isMissing(root: string, to: string): boolean {
  return /\.(ts|mjs|json)$/.test(to) && !existsSync(join(root, to));
}

const root = join(import.meta.dirname, "..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { devDependencies: object };
const developmentPackages = Object.keys(manifest.devDependencies);
const files = globSync(
  FOLDERS.map((folder) => `${folder}/**/*.ts`),
  { cwd: root },
).toSorted();
const imports = files.flatMap((file) => importsOf(file, readFileSync(join(root, file), "utf8")));

const faults = imports.flatMap((each) => {
  const fault = isMissing(root, each.to) ? "there is no such file" : judge(each, developmentPackages);
  return fault === undefined ? [] : [`${each.from} → ${each.to}: ${fault}`];
});
const cycles = findCycles(imports).map((cycle) => `cycle: ${cycle.join(" → ")}`);

for (const line of [...faults, ...cycles]) console.log(line);
console.log(`${imports.length} imports in ${files.length} files, ${faults.length + cycles.length} faults`);
process.exitCode = faults.length + cycles.length > 0 ? 1 : 0;
