import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { hostEnvironment } from "../config/host-environment.ts";
import { runCommand } from "../util/run-command.ts";
import { parseBaseImages } from "./base-images.ts";
import { BuildLog } from "./build-log.ts";
import { Buildah } from "./buildah.ts";
import { buildContainer } from "./container-build.ts";
import { makeRootfs } from "./disk-images.ts";
import { describeImage } from "./image-config.ts";

const BUSYBOX = "/bin/busybox";
/** Never dialled: nothing here is pulled. */
const PROXY = "http://proxy.invalid:1";

async function useBuildah() {
  const folder = await mkdtemp(join(tmpdir(), "catnap-build-"));
  const buildah = await Buildah.open(join(folder, "containers"), { ...hostEnvironment(), https_proxy: PROXY });
  onTestFinished(async () => {
    await buildah.removeLeftovers();
    await rm(folder, { recursive: true, force: true });
  });
  const context = join(folder, "context");
  await mkdir(context);
  await copyFile(BUSYBOX, join(context, "busybox"));
  const logFile = join(folder, "build.log");
  const build = async (
    dockerfile: string,
    over: { tag?: string; baseImages?: string; caBundle?: string; signal?: AbortSignal } = {},
  ) => {
    await writeFile(join(context, "Dockerfile"), dockerfile);
    const log = new BuildLog(logFile);
    const { tag = "localhost/test", baseImages = "", caBundle = "auto", signal = new AbortController().signal } = over;
    return buildContainer({
      buildah,
      log,
      signal,
      work: folder,
      context,
      tag,
      baseImages: parseBaseImages(baseImages),
      caBundle,
    }).finally(() => log.close());
  };
  return { folder, buildah, build, logText: () => readFile(logFile, "utf8") };
}

const RUN = (script: string) => `RUN ["/bin/busybox", "sh", "-c", ${JSON.stringify(script)}]\n`;
const BASE = `FROM scratch\nCOPY busybox /bin/busybox\n`;

/** A base whose own variables and files must survive what RUN steps are handed. */
const WITH_OWN_TRUST = `${BASE}ENV SSL_CERT_FILE=/own/ca.pem\n`;

test("a Dockerfile becomes a file system image and a configuration", async () => {
  const { folder, buildah, build, logText } = await useBuildah();
  const id = await build(
    `${BASE}${RUN("/bin/busybox echo hello > /greeting")}ENV A=1\nWORKDIR /work\nUSER 1000\nEXPOSE 8080 53/udp\nSTOPSIGNAL SIGINT\nENTRYPOINT ["/bin/busybox"]\nCMD ["sh"]\n`,
  );
  expect(await logText()).toMatch(/STEP 3\/10: RUN/);
  const { container, layers } = await describeImage(buildah, id, { AWS_REGION: "us-east-1" });
  expect(container).toMatchObject({
    argv: ["/bin/busybox", "sh"],
    workingDir: "/work",
    user: "1000",
    exposedTcpPorts: [8080],
    stopSignal: 2,
  });
  expect(container.env).toMatchObject({ A: "1", AWS_REGION: "us-east-1" });
  const rootfs = await makeRootfs(buildah, id, layers, join(folder, "rootfs"));
  expect((await runCommand("debugfs", ["-R", "cat /greeting", rootfs])).stdout).toBe("hello\n");
  await runCommand("e2fsck", ["-fn", rootfs]);
  expect(await makeRootfs(buildah, id, layers, join(folder, "rootfs"))).toBe(rootfs);
});

test.each([["auto"], ["/etc/ssl/certs/ca-certificates.crt"]])(
  "RUN steps see the host's certificates and proxy, the image keeps nothing of them (%s)",
  async (caBundle) => {
    const { folder, buildah, build } = await useBuildah();
    await build(WITH_OWN_TRUST, { tag: "localhost/own", caBundle });
    const script = "/bin/busybox env > /seen; /bin/busybox test -s $PIP_CERT";
    const id = await build(
      `FROM localhost/own AS first\n${RUN(script)}FROM first\n${RUN(script)}ENV CURL_CA_BUNDLE=/mine\nCMD ["/bin/busybox"]\n`,
      { caBundle },
    );
    const { container, layers } = await describeImage(buildah, id, {});
    expect(Object.keys(container.env).toSorted()).toEqual(["CURL_CA_BUNDLE", "PATH", "SSL_CERT_FILE"]);
    expect(container.env).toMatchObject({ CURL_CA_BUNDLE: "/mine", SSL_CERT_FILE: "/own/ca.pem" });
    const rootfs = await makeRootfs(buildah, id, layers, join(folder, "rootfs"));
    const look = async (command: string) => (await runCommand("debugfs", ["-R", command, rootfs])).stdout;
    const seen = await look("cat /seen");
    expect(seen).toContain("SSL_CERT_FILE=/own/ca.pem\n");
    expect(seen).toContain("PIP_CERT=/run/catnap/ca-bundle.pem\n");
    expect(seen).toContain(`https_proxy=${PROXY}\n`);
    expect(await look("ls -p /run")).not.toContain("catnap");
    expect(await look("ls -p /etc")).not.toMatch(/ssl|pki/);
  },
);

test("SHELL decides what runs the steps after it", async () => {
  const { build, logText } = await useBuildah();
  await build(`${BASE}SHELL ["/bin/busybox", "sh", "-c"]\nRUN echo "spoken by $0"\n`);
  expect(await logText()).toContain("spoken by sh");
});

test("the Dockerfile decides, whatever else the archive holds", async () => {
  const { folder, build, logText } = await useBuildah();
  await writeFile(join(folder, "context/Containerfile"), "FROM registry.invalid/never\n");
  await build(BASE);
  expect(await logText()).not.toContain("registry.invalid");
});

test("an unchanged build runs no step again, although every file is new", async () => {
  const { folder, build, logText } = await useBuildah();
  const dockerfile = `${BASE}COPY app /app\n${RUN("exit 0")}`;
  await writeFile(join(folder, "context/app"), "x");
  const first = await build(dockerfile);
  await utimes(join(folder, "context/app"), 1e9, 1e9);
  await utimes(join(folder, "context/busybox"), 1e9, 1e9);
  expect(await build(dockerfile)).toBe(first);
  expect((await logText()).match(/Using cache/g)).toHaveLength(4);
});

test("an image that is given up takes its layers along, and others keep theirs", async () => {
  const { buildah, build } = await useBuildah();
  const dockerfile = (text: string) => `${BASE}ENV SHARED=yes\n${RUN(`/bin/busybox echo ${text} >/own`)}`;
  const kept = await build(dockerfile("kept"), { tag: "localhost/catnap/kept" });
  const gone = await build(dockerfile("given up"), { tag: "localhost/catnap/given-up" });
  const other = await build(dockerfile("other"), { tag: "localhost/elsewhere" });
  const all = () => buildah.line("images", "--all", "--quiet", "--no-trunc");
  expect(await all()).toContain(gone);
  await buildah.keepOnly("localhost/catnap/", new Set(["localhost/catnap/kept"]));
  expect(await all()).not.toContain(gone);
  expect(await build(dockerfile("kept"), { tag: "localhost/catnap/kept" })).toBe(kept);
  expect(await build(dockerfile("other"), { tag: "localhost/elsewhere" })).toBe(other);
});

test("an image made of links out of it costs the host nothing", async () => {
  const { folder, buildah, build } = await useBuildah();
  const outside = join(folder, "outside");
  await mkdir(join(outside, "catnap"), { recursive: true });
  await writeFile(join(outside, "catnap/ca-bundle.pem"), "");
  const id = await build(
    `${BASE}${RUN(`/bin/busybox mkdir /tree; /bin/busybox ln -s ${outside} /tree/run`)}FROM scratch\nCOPY --from=0 /tree /\nCMD ["/x"]\n`,
  );
  await makeRootfs(buildah, id, (await describeImage(buildah, id, {})).layers, join(folder, "rootfs"));
  expect(await readFile(join(outside, "catnap/ca-bundle.pem"), "utf8")).toBe("");
});

test("an image without ENTRYPOINT and CMD is refused in words", async () => {
  const { buildah, build } = await useBuildah();
  const id = await build(BASE);
  await expect(describeImage(buildah, id, {})).rejects.toThrow(/neither ENTRYPOINT nor CMD/);
});

test("a failing step is named with its last words and leaves no container", async () => {
  const { buildah, build, logText } = await useBuildah();
  const failing = build(`${BASE}${RUN("/bin/busybox echo the disk is upside down >&2; exit 7")}`);
  await expect(failing).rejects.toMatchObject({ failureCode: "CONTAINER_BUILD_FAILED" });
  await expect(failing).rejects.toThrow(
    /^The container image build failed\. STEP 3\/3: RUN .*: exit status 7: the disk is upside down$/s,
  );
  expect(await logText()).toContain("the disk is upside down");
  expect(await buildah.line("containers", "--quiet")).toBe("");
});

test("a base image is taken from where the configuration says", async () => {
  const { folder, buildah, build, logText } = await useBuildah();
  await build(`${BASE}ENV FROM_BASE=yes\nCMD ["/bin/busybox"]\n`, { tag: "localhost/base" });
  const archive = `oci-archive:${join(folder, "base.tar")}`;
  await buildah.run(["push", "localhost/base", archive]);
  await buildah.run(["rmi", "--all", "--force"]);
  const name = "registry.invalid/some/base:1";
  const id = await build(`FROM ${name}\n${RUN("exit 0")}`, { baseImages: `${name}=${archive}` });
  expect((await describeImage(buildah, id, {})).container.env).toMatchObject({ FROM_BASE: "yes" });
  expect(await logText()).toContain(`base image ${name} is taken from ${archive}`);
});

test("a base image out of reach is named, with the way out", async () => {
  const { build } = await useBuildah();
  await expect(build("FROM registry.invalid/some/base:1\n")).rejects.toThrow(
    /registry\.invalid\/some\/base:1.*CATNAP_BASE_IMAGES/s,
  );
});

test("a cancelled build stops", async () => {
  const { build } = await useBuildah();
  const reason = new Error("enough");
  const stop = new AbortController();
  const running = build(`${BASE}${RUN("/bin/busybox sleep 600")}`, { signal: stop.signal });
  setTimeout(() => stop.abort(reason), 500);
  await expect(running).rejects.toBe(reason);
});

test("a build ends with the server that is killed, and leaves no process and no mount", async () => {
  const { folder } = await useBuildah();
  const context = join(folder, "context");
  const seconds = 100_000 + Math.floor(Math.random() * 100_000); // tells the step from any other
  await writeFile(join(context, "Dockerfile"), `${BASE}${RUN(`/bin/busybox sleep ${seconds}`)}`);
  const server = spawn(process.execPath, [
    "--eval",
    `const { Buildah } = await import(${JSON.stringify(join(import.meta.dirname, "buildah.ts"))});
     const buildah = await Buildah.open(${JSON.stringify(join(folder, "containers"))}, process.env);
     await buildah.build(["--isolation", "chroot", "--layers", ${JSON.stringify(context)}]);`,
  ]);
  onTestFinished(() => void server.kill("SIGKILL"));
  const steps = async () => (await commandLines()).filter((line) => line === `/bin/busybox sleep ${seconds} `).length;
  await expect.poll(steps, { timeout: 60_000 }).toBe(1);
  server.kill("SIGKILL");
  await once(server, "exit");
  await expect.poll(steps, { timeout: 60_000 }).toBe(0);
  expect(await readFile("/proc/self/mountinfo", "utf8")).not.toContain(folder);
});

async function commandLines(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.map((line) => line.replaceAll("\0", " "));
}
