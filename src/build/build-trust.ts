import { access, lstat, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DockerfileParser } from "dockerfile-ast";

/** Where the host's CA bundle appears inside RUN steps. */
const TRUST_FILE = "/run/catnap/ca-bundle.pem";

/** Variables by which the usual clients find a CA bundle: OpenSSL, curl, Python, pip, Node, git, Go, AWS tools. */
const TRUST_VARIABLES = [
  "SSL_CERT_FILE",
  "CURL_CA_BUNDLE",
  "REQUESTS_CA_BUNDLE",
  "PIP_CERT",
  "NODE_EXTRA_CA_CERTS",
  "GIT_SSL_CAINFO",
  "AWS_CA_BUNDLE",
];

const HOST_BUNDLES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/** Where distributions keep the bundle: covered only when a bundle is set on purpose, since installing CA packages over a mount fails. */
const WELL_KNOWN_PLACES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/** How RUN steps come to trust what the host trusts, for networks that inspect TLS; proxies and resolver buildah hands in itself. */
export interface BuildTrust {
  /** File on the host, and where RUN steps see it. */
  readonly bundle: string;
  readonly places: readonly string[];
}

export async function findTrust(setting: string): Promise<BuildTrust | undefined> {
  const bundle = setting === "auto" ? await hostBundle() : setting === "none" ? undefined : setting;
  if (bundle === undefined) return undefined;
  return { bundle, places: setting === "auto" ? [TRUST_FILE] : [TRUST_FILE, ...WELL_KNOWN_PLACES] };
}

/**
 * The Dockerfile with one ARG line after each FROM. An ARG is seen by RUN steps, gives way to an ENV of the image or of
 * its base, and is not part of the image; `buildah bud --env` is none of that (it replaces the image's own values).
 */
export function withTrustVariables(dockerfile: string): string {
  const lines = dockerfile.split("\n");
  const fromEnds = DockerfileParser.parse(dockerfile)
    .getFROMs()
    .map((from) => from.getRange().end.line);
  const argument = `ARG ${TRUST_VARIABLES.map((name) => `${name}=${TRUST_FILE}`).join(" ")}`;
  for (const line of fromEnds.toSorted((a, b) => b - a)) lines.splice(line + 1, 0, argument);
  return lines.join("\n");
}

/** A line of buildah's output as it would be without the added ARG lines, each the second step of its stage; none for those. */
export function hideTrustSteps(line: string): string | undefined {
  const [, stage = "", step, steps, text] = /^(\[\d+\/\d+\] )?STEP (\d+)\/(\d+): (.*)$/s.exec(line) ?? [];
  if (text === undefined || step === "2") return text === undefined ? line : undefined;
  return `${stage}STEP ${Math.max(1, Number(step) - 1)}/${Number(steps) - 1}: ${text}`;
}

/** Takes away the empty files and folders that the mounts needed. `tree` is hostile: no link in it is followed. */
export async function removeTrustTraces(tree: string): Promise<void> {
  for (const place of [TRUST_FILE, ...WELL_KNOWN_PLACES]) {
    if (!(await isReachedWithoutLinks(tree, place))) continue;
    const file = await lstat(join(tree, place));
    if (!file.isFile() || file.size > 0) continue;
    await rm(join(tree, place));
    for (let folder = dirname(place); folder.split("/").length > 2; folder = dirname(folder)) {
      if (
        !(await rmdir(join(tree, folder)).then(
          () => true,
          () => false,
        ))
      )
        break; // holds something of the image's own
    }
  }
}

async function isReachedWithoutLinks(tree: string, place: string): Promise<boolean> {
  let path = tree;
  for (const part of place.split("/").slice(1, -1)) {
    path = join(path, part);
    const found = await lstat(path).catch(() => undefined);
    if (!found?.isDirectory()) return false;
  }
  return lstat(join(tree, place)).then(
    () => true,
    () => false,
  );
}

async function hostBundle(): Promise<string | undefined> {
  for (const file of HOST_BUNDLES) {
    if (
      await access(file).then(
        () => true,
        () => false,
      )
    )
      return file;
  }
  return undefined;
}
