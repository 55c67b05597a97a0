import { access, constants, readdir, realpath } from "node:fs/promises";
import { basename, delimiter, dirname, join, resolve } from "node:path";
import { searchPath } from "../../config/search-path.ts";
import { AppError } from "../../errors/app-error.ts";
import { runCommand } from "../../util/run-command.ts";

/** A file, and its name below an engine's directory. */
export interface EnginePart {
  readonly name: string;
  readonly from: string;
}

/** Firmware and option roms that a `microvm` machine loads at its start, where the monitor's version has them. */
const FIRMWARE = ["bios-microvm.bin", "qboot.rom", "pvh.bin", "linuxboot_dma.bin", "multiboot_dma.bin", "kvmvapic.bin"];
/** The C library and its loader go together, and newer ones run older programs: the host's are right. */
const C_LIBRARY = /^(?:ld-linux|ld64|lib(?:c|m|mvec|dl|rt|pthread|resolv|util|nsl|anl))[-.]/;

/** Absolute path of a program of the host. */
export async function findProgram(name: string): Promise<string> {
  for (const directory of searchPath().split(delimiter)) {
    const candidate = join(directory, name);
    if (await isAccessible(candidate, constants.X_OK)) return realpath(candidate);
  }
  throw new AppError("ERR_HOST_MISSING_TOOL", { message: `${name} is not installed; run ./dev setup` });
}

/** Everything of the host's monitor that loading a snapshot depends on: itself, its accelerators, its firmware. */
export async function monitorParts(program: string): Promise<{ parts: EnginePart[]; places: string[] }> {
  const { stdout } = await runCommand(program, ["-L", "help"]);
  // Told relative to the program, which is going to lie elsewhere.
  const places = stdout.split("\n").flatMap((line) => (line.startsWith("/") ? [resolve(line)] : []));
  const [modules, firmware] = await Promise.all([findModules(program), findFirmware(places)]);
  return { parts: [{ name: basename(program), from: program }, ...modules, ...firmware], places };
}

/** Libraries that a monitor was built against and that a later release of the host may lack. */
export async function findLibraries(files: readonly string[]): Promise<EnginePart[]> {
  const found = new Map<string, string>();
  for (const file of files) {
    const { stdout } = await runCommand("ldd", [file]).catch(() => ({ stdout: "" })); // a static program has none
    for (const [, name = "", from = ""] of stdout.matchAll(/^\s*(\S+) => (\/\S+)/gm))
      if (!C_LIBRARY.test(name)) found.set(name, from);
  }
  return [...found].map(([name, from]) => ({ name: join("libraries", name), from }));
}

/** Only a monitor's own build can load them. */
async function findModules(program: string): Promise<EnginePart[]> {
  const prefix = dirname(dirname(program));
  const libraries = join(prefix, "lib");
  const triplets = await readdir(libraries).catch(() => []);
  const places = [
    ...triplets.map((triplet) => join(libraries, triplet, "qemu")),
    join(libraries, "qemu"),
    join(prefix, "lib64/qemu"),
  ];
  const machine = /qemu-system-(\w+)$/.exec(program)?.[1] ?? "";
  for (const place of places) {
    const names = await readdir(place).catch(() => []);
    const accelerators = names.filter((name) => name.startsWith("accel-") && name.endsWith(`-${machine}.so`));
    if (accelerators.length > 0)
      return accelerators.map((name) => ({ name: join("modules", name), from: join(place, name) }));
  }
  return [];
}

async function findFirmware(places: readonly string[]): Promise<EnginePart[]> {
  const found: EnginePart[] = [];
  for (const name of FIRMWARE) {
    for (const place of places) {
      if (!(await isAccessible(join(place, name), constants.R_OK))) continue;
      found.push({ name: join("firmware", name), from: join(place, name) });
      break;
    }
  }
  return found;
}

function isAccessible(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
