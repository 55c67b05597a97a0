import { access } from "node:fs/promises";

/** Where the host's CA bundle appears inside RUN steps; removed from the image afterwards. */
export const TRUST_DIRECTORY = "/run/catnap";
const TRUST_FILE = `${TRUST_DIRECTORY}/ca-bundle.pem`;

/** Variables by which the usual clients find a CA bundle: OpenSSL, curl, Python, pip, Node, git, Go, AWS tools. */
const TRUST_VARIABLES = ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE"];

const HOST_BUNDLES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/** Where distributions keep the bundle: covered only when a bundle is set on purpose, since installing CA packages over a mount fails. */
const WELL_KNOWN_PLACES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/** Arguments that hand a CA bundle into RUN steps, for networks that inspect TLS; proxies and resolver buildah hands in itself. */
export async function trustArguments(setting: string): Promise<string[]> {
  const bundle = setting === "auto" ? await hostBundle() : setting === "none" ? undefined : setting;
  if (bundle === undefined) return [];
  const places = setting === "auto" ? [TRUST_FILE] : [TRUST_FILE, ...WELL_KNOWN_PLACES];
  return [...places.flatMap((place) => ["--volume", `${bundle}:${place}:ro`]), ...TRUST_VARIABLES.flatMap((name) => ["--env", `${name}=${TRUST_FILE}`])];
}

/** Takes out of an image's environment what `trustArguments` put in; a variable the Dockerfile set otherwise stays. */
export function withoutTrust(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter(([name, value]) => !(value === TRUST_FILE && TRUST_VARIABLES.includes(name))));
}

async function hostBundle(): Promise<string | undefined> {
  for (const file of HOST_BUNDLES) {
    if (await access(file).then(() => true, () => false)) return file;
  }
  return undefined;
}
