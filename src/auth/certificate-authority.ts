// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 fails to load without this polyfill before it
import "reflect-metadata";
import { createPrivateKey, webcrypto } from "node:crypto";
import { join } from "node:path";
import { createSecureContext, type SecureContext } from "node:tls";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { writeCertificateBundle } from "./certificate-bundle.ts";
import { EC_P256, openCertificateRoot, type CertificateRoot } from "./certificate-root.ts";

const DAY_MS = 86_400_000;
const LEAF_LIFE_DAYS = 90;
const RENEW_BEFORE_DAYS = 30;
/** Wildcards kept; names are asked for by anyone who can connect, so the cache is bounded. */
const MAX_LEAVES = 64;

export interface CertificateAuthority {
  /** PEM file of the root alone. */
  readonly rootFile: string;
  /** PEM file of the system's roots and ours, for `catnap env`. */
  readonly bundleFile: string;
  readonly rootPem: string;
  /** The TLS identity for a wildcard name below the domain; `undefined` for a name outside it. */
  contextFor(wildcard: string): Promise<SecureContext | undefined>;
}

export interface CertificateOptions {
  /** `<home>/tls` */
  readonly directory: string;
  readonly domain: string;
  readonly now?: () => number;
}

interface Leaf {
  readonly context: Promise<SecureContext>;
  readonly renewAt: number;
}

/** Opens the local authority, made on first use, and refreshes the bundle. */
export async function openCertificateAuthority(options: CertificateOptions): Promise<CertificateAuthority> {
  const { directory, domain, now = Date.now } = options;
  const root = await openCertificateRoot({ directory, domain, now });
  const bundleFile = join(directory, "ca-bundle.pem");
  await writeCertificateBundle(bundleFile, root.pem);
  const keys = await webcrypto.subtle.generateKey(EC_P256, true, ["sign", "verify"]);
  const leaves = new Map<string, Leaf>();

  function contextFor(wildcard: string): Promise<SecureContext | undefined> {
    if (!isBelow(wildcard, domain)) return Promise.resolve(undefined);
    const known = leaves.get(wildcard);
    if (known && known.renewAt > now()) return known.context;
    const context = mintLeaf({ root, keys, wildcard, now: now() });
    leaves.delete(wildcard);
    leaves.set(wildcard, { context, renewAt: now() + (LEAF_LIFE_DAYS - RENEW_BEFORE_DAYS) * DAY_MS });
    const oldest = leaves.keys().next().value;
    if (leaves.size > MAX_LEAVES && oldest !== undefined) leaves.delete(oldest);
    context.catch(() => leaves.delete(wildcard)); // a failure must not stick; the caller sees it
    return context;
  }

  return { rootFile: join(directory, "ca.pem"), bundleFile, rootPem: root.pem, contextFor };
}

function isBelow(wildcard: string, domain: string): boolean {
  return /^\*(\.[a-z0-9-]{1,63})+$/.test(wildcard) && wildcard.length <= 253 && wildcard.endsWith(`.${domain}`);
}

interface LeafRequest {
  readonly root: CertificateRoot;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly wildcard: string;
  readonly now: number;
}

async function mintLeaf({ root, keys, wildcard, now }: LeafRequest): Promise<SecureContext> {
  const certificate = await X509CertificateGenerator.create({
    subject: "CN=Catnap endpoint",
    issuer: root.certificate.subjectName,
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + LEAF_LIFE_DAYS * DAY_MS),
    publicKey: keys.publicKey,
    signingKey: root.privateKey,
    signingAlgorithm: EC_P256,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([{ type: "dns", value: wildcard }]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(root.certificate),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }).export({ format: "pem", type: "pkcs8" });
  return createSecureContext({ key, cert: certificate.toString("pem"), minVersion: "TLSv1.2" });
}
