import { readFile } from "node:fs/promises";
import { rootCertificates } from "node:tls";
import { writeFileDurably } from "../util/write-file-durably.ts";

/** Where distributions keep all trusted roots in one file: Debian and Alpine, Fedora and RHEL, openSUSE. */
const HOST_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/ca-bundle.pem",
];

/**
 * Writes the system's roots and ours as one file. Clients whose CA-bundle variable replaces the system's roots
 * (AWS_CA_BUNDLE, SSL_CERT_FILE, CURL_CA_BUNDLE) keep reaching the rest of the world with it.
 */
export async function writeCertificateBundle(path: string, rootPem: string): Promise<void> {
  const host = await hostRoots();
  await writeFileDurably(path, `${host.trimEnd()}\n${rootPem.trimEnd()}\n`);
}

async function hostRoots(): Promise<string> {
  for (const path of HOST_BUNDLES) {
    const text = await readFile(path, "utf8").catch(() => "");
    if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  }
  return rootCertificates.join("\n");
}
