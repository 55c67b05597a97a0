import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

const HOST_DIRECTORY = "/etc/containers";
const SETS_SEARCH = /^\s*unqualified-search-registries\s*=/m;

/**
 * The host's registry configuration with Docker Hub as the place of short names ("codercom/code-server"), as a Dockerfile
 * means them; undefined where the host's own configuration says where to look.
 */
export async function registriesWithDockerHub(directory = HOST_DIRECTORY): Promise<string | undefined> {
  const main = await readFile(join(directory, "registries.conf"), "utf8").catch(() => "");
  const parts = await readdir(join(directory, "registries.conf.d")).catch(() => []);
  const rest = await Promise.all(
    parts.map((name) => readFile(join(directory, "registries.conf.d", name), "utf8").catch(() => "")),
  );
  if ([main, ...rest].some((text) => SETS_SEARCH.test(text))) return undefined;
  return `unqualified-search-registries = ["docker.io"]\n${main}`;
}
