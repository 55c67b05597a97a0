// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 fails to load without this polyfill before it
import "reflect-metadata";
import { createPrivateKey, createPublicKey, webcrypto } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { writeFileDurably } from "../util/write-file-durably.ts";
import { nameConstraints } from "./certificate-name-constraints.ts";

const DAY_MS = 86_400_000;
const ROOT_LIFE_DAYS = 3650;
/** A root that ends sooner is replaced at start, so that no leaf outlives it while the server runs. */
const ROOT_SPARE_DAYS = 180;

export const EC_P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

export interface CertificateRoot {
  readonly certificate: X509Certificate;
  readonly pem: string;
  readonly privateKey: webcrypto.CryptoKey;
}

export interface RootOptions {
  /** Directory of ca.pem and ca.key. */
  readonly directory: string;
  readonly domain: string;
  readonly now: () => number;
}

/** The local root certificate: the one on disk when it still serves this domain, else a new one. */
export async function openCertificateRoot(options: RootOptions): Promise<CertificateRoot> {
  await mkdir(options.directory, { recursive: true, mode: 0o755 });
  return (await readRoot(options)) ?? (await makeRoot(options));
}

async function readRoot(options: RootOptions): Promise<CertificateRoot | undefined> {
  const [pem, keyPem] = await Promise.all([
    readIfPresent(join(options.directory, "ca.pem")),
    readIfPresent(join(options.directory, "ca.key")),
  ]);
  if (pem === undefined || keyPem === undefined) return undefined;
  try {
    const certificate = new X509Certificate(pem);
    if (!serves(certificate, keyPem, options)) return undefined;
    const pkcs8 = createPrivateKey(keyPem).export({ format: "der", type: "pkcs8" });
    const privateKey = await webcrypto.subtle.importKey("pkcs8", new Uint8Array(pkcs8), EC_P256, false, ["sign"]);
    return { certificate, pem, privateKey };
  } catch {
    return undefined; // Torn or foreign files: a new root is the only way on, and clients read it from the bundle.
  }
}

/** Whether certificate and key belong together, cover the domain and last long enough. */
function serves(certificate: X509Certificate, keyPem: string, options: RootOptions): boolean {
  const publicKey = createPublicKey(keyPem).export({ format: "der", type: "spki" });
  const wanted = nameConstraints(options.domain);
  const found = certificate.getExtension(wanted.type);
  return (
    publicKey.equals(Buffer.from(certificate.publicKey.rawData)) &&
    found !== null &&
    Buffer.from(found.value).equals(Buffer.from(wanted.value)) &&
    certificate.notAfter.getTime() > options.now() + ROOT_SPARE_DAYS * DAY_MS
  );
}

async function makeRoot({ directory, domain, now }: RootOptions): Promise<CertificateRoot> {
  const keys = await webcrypto.subtle.generateKey(EC_P256, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=Catnap local authority for ${domain}`,
    notBefore: new Date(now() - DAY_MS),
    notAfter: new Date(now() + ROOT_LIFE_DAYS * DAY_MS),
    keys,
    signingAlgorithm: EC_P256,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      nameConstraints(domain),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  const keyPem = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }).export({
    format: "pem",
    type: "pkcs8",
  });
  const pem = `${certificate.toString("pem")}\n`;
  // The key first: a crash between the two leaves a pair that does not match, and readRoot() starts over.
  await writeFileDurably(join(directory, "ca.key"), keyPem, 0o600);
  await writeFileDurably(join(directory, "ca.pem"), pem);
  return { certificate, pem, privateKey: keys.privateKey };
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
