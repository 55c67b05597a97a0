import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer, type SecureContext } from "node:tls";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { openCertificateAuthority } from "./certificate-authority.ts";

const run = promisify(execFile);
const DAY_MS = 86_400_000;
const WILDCARD = "*.lambda-microvm.us-east-1.localhost";
const NAME = "a.lambda-microvm.us-east-1.localhost";

async function useDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "catnap-ca-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return join(directory, "tls");
}

async function useTlsServer(context: SecureContext | undefined): Promise<number> {
  const server = createServer({ SNICallback: (_name, done) => done(null, context) }, (socket) => socket.end("hello"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function peerOf(port: number, servername: string, ca: string): Promise<X509Certificate> {
  const socket = connect({ host: "127.0.0.1", port, servername, ca });
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  return socket.getPeerX509Certificate() as X509Certificate;
}

test("the root is made once, private to its owner, and lasts ten years", async () => {
  const directory = await useDirectory();
  const first = await openCertificateAuthority({ directory, domain: "localhost" });
  const second = await openCertificateAuthority({ directory, domain: "localhost" });
  expect(second.rootPem).toBe(first.rootPem);
  expect((await stat(join(directory, "ca.key"))).mode & 0o777).toBe(0o600);
  const root = new X509Certificate(await readFile(first.rootFile));
  expect(root.ca).toBe(true);
  expect(new Date(root.validTo).getTime()).toBeGreaterThan(Date.now() + 3640 * DAY_MS);
});

test("another domain gets another root", async () => {
  const directory = await useDirectory();
  const first = await openCertificateAuthority({ directory, domain: "localhost" });
  const second = await openCertificateAuthority({ directory, domain: "vm.example.com" });
  expect(second.rootPem).not.toBe(first.rootPem);
});

test.each(["ca.pem", "ca.key"])("a broken %s makes a new root", async (file) => {
  const directory = await useDirectory();
  const first = await openCertificateAuthority({ directory, domain: "localhost" });
  await writeFile(join(directory, file), "torn");
  const second = await openCertificateAuthority({ directory, domain: "localhost" });
  expect(second.rootPem).not.toBe(first.rootPem);
  expect(await second.contextFor(WILDCARD)).toBeDefined();
});

test("a client that trusts the root accepts any endpoint of the wildcard", async () => {
  const authority = await openCertificateAuthority({ directory: await useDirectory(), domain: "localhost" });
  const port = await useTlsServer(await authority.contextFor(WILDCARD));
  const leaf = await peerOf(port, NAME, authority.rootPem);
  expect(leaf.subjectAltName).toBe(`DNS:${WILDCARD}`);
  expect(leaf.checkIssued(new X509Certificate(authority.rootPem))).toBe(true);
});

test("OpenSSL accepts the chain under its strict rules", async () => {
  const directory = await useDirectory();
  const authority = await openCertificateAuthority({ directory, domain: "localhost" });
  const port = await useTlsServer(await authority.contextFor(WILDCARD));
  const leaf = await peerOf(port, NAME, authority.rootPem);
  await writeFile(join(directory, "leaf.pem"), leaf.toString());
  const args = [
    "verify",
    "-x509_strict",
    "-purpose",
    "sslserver",
    "-verify_hostname",
    NAME,
    "-CAfile",
    authority.rootFile,
  ];
  expect((await run("openssl", [...args, join(directory, "leaf.pem")])).stdout).toMatch(/OK/);
});

test("the root vouches for no name outside its domain, even with its key in foreign hands", async () => {
  const directory = await useDirectory();
  const authority = await openCertificateAuthority({ directory, domain: "localhost" });
  const file = (name: string): string => join(directory, name);
  for (const san of ["DNS:example.com", "IP:127.0.0.1"]) {
    await writeFile(file("ext"), `subjectAltName=${san}\nextendedKeyUsage=serverAuth\n`);
    await run("openssl", [
      "req",
      "-new",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      file("k"),
      "-out",
      file("csr"),
      "-subj",
      "/CN=x",
    ]);
    await run("openssl", [
      "x509",
      "-req",
      "-in",
      file("csr"),
      "-CA",
      file("ca.pem"),
      "-CAkey",
      file("ca.key"),
      "-extfile",
      file("ext"),
      "-out",
      file("bad.pem"),
    ]);
    await expect(run("openssl", ["verify", "-CAfile", authority.rootFile, file("bad.pem")])).rejects.toThrow(/subtree/);
  }
});

test("names outside the domain get no certificate", async () => {
  const authority = await openCertificateAuthority({ directory: await useDirectory(), domain: "localhost" });
  for (const name of [
    "*.example.com",
    "a.localhost",
    "*",
    "*.localhost.evil.com",
    "*.a b.localhost",
    `*.${"a.".repeat(200)}localhost`,
  ]) {
    expect(await authority.contextFor(name)).toBeUndefined();
  }
});

test("a leaf is kept, and renewed before it ends", async () => {
  let now = Date.now();
  const authority = await openCertificateAuthority({
    directory: await useDirectory(),
    domain: "localhost",
    now: () => now,
  });
  const first = await authority.contextFor(WILDCARD);
  expect(await authority.contextFor(WILDCARD)).toBe(first);
  now += 61 * DAY_MS;
  expect(await authority.contextFor(WILDCARD)).not.toBe(first);
});

test("the number of kept leaves is bounded", async () => {
  const authority = await openCertificateAuthority({ directory: await useDirectory(), domain: "localhost" });
  const first = await authority.contextFor("*.r0.localhost");
  for (let i = 1; i <= 64; i++) await authority.contextFor(`*.r${i}.localhost`);
  expect(await authority.contextFor("*.r0.localhost")).not.toBe(first);
});

test("the bundle holds many roots and ours last", async () => {
  const authority = await openCertificateAuthority({ directory: await useDirectory(), domain: "localhost" });
  const bundle = await readFile(authority.bundleFile, "utf8");
  expect(bundle.match(/BEGIN CERTIFICATE/g)?.length).toBeGreaterThan(50);
  expect(bundle.trimEnd().endsWith(authority.rootPem.trimEnd())).toBe(true);
});
