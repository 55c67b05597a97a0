import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runCommand } from "../util/run-command.ts";
import { parseBaseImages } from "./base-images.ts";
import { BuildLog } from "./build-log.ts";
import { Buildah } from "./buildah.ts";
import { buildContainer } from "./container-build.ts";
import { makeRootfs } from "./disk-images.ts";
import { describeImage } from "./image-config.ts";

const BUSYBOX = "/bin/busybox";

async function useBuildah() {
  const folder = await mkdtemp(join(tmpdir(), "catnap-build-"));
  const buildah = await Buildah.open(join(folder, "containers"));
  onTestFinished(async () => {
    await buildah.removeLeftovers();
    await rm(folder, { recursive: true, force: true });
  });
  const context = join(folder, "context");
  await mkdir(context);
  await copyFile(BUSYBOX, join(context, "busybox"));
  const logFile = join(folder, "build.log");
  const build = async (dockerfile: string, over: { tag?: string; baseImages?: string; signal?: AbortSignal } = {}) => {
    await writeFile(join(context, "Dockerfile"), dockerfile);
    const log = new BuildLog(logFile);
    const { tag = "localhost/test", baseImages = "", signal = new AbortController().signal } = over;
    await buildContainer({ buildah, log, signal, context, tag, baseImages: parseBaseImages(baseImages), caBundle: "auto" }).finally(() => log.close());
    return tag;
  };
  return { folder, buildah, build, logText: () => readFile(logFile, "utf8") };
}

const RUN = (script: string) => `RUN ["/bin/busybox", "sh", "-c", ${JSON.stringify(script)}]\n`;
const BASE = `FROM scratch\nCOPY busybox /bin/busybox\n`;

test("a Dockerfile becomes a file system image and a configuration, with nothing of the host's trust left inside", async () => {
  const { folder, buildah, build, logText } = await useBuildah();
  const tag = await build(`${BASE}${RUN("/bin/busybox echo hello from $SSL_CERT_FILE > /greeting; /bin/busybox test -s $SSL_CERT_FILE")}ENV A=1\nWORKDIR /work\nUSER 1000\nEXPOSE 8080 53/udp\nSTOPSIGNAL SIGINT\nENTRYPOINT ["/bin/busybox"]\nCMD ["sh"]\n`);
  expect(await logText()).toContain("STEP 3/");
  const { container, layers } = await describeImage(buildah, tag, { AWS_REGION: "us-east-1" });
  expect(container).toMatchObject({ argv: ["/bin/busybox", "sh"], workingDir: "/work", user: "1000", exposedTcpPorts: [8080], stopSignal: 2 });
  expect(container.env).toMatchObject({ A: "1", AWS_REGION: "us-east-1" });
  expect(Object.keys(container.env).toSorted()).toEqual(["A", "AWS_REGION", "PATH"]);
  const rootfs = await makeRootfs(buildah, tag, layers, join(folder, "rootfs"));
  const look = async (path: string) => (await runCommand("debugfs", ["-R", `cat ${path}`, rootfs])).stdout;
  expect(await look("/greeting")).toBe("hello from /run/catnap/ca-bundle.pem\n");
  expect((await runCommand("debugfs", ["-R", "ls -p /run", rootfs])).stdout).not.toContain("catnap");
  expect(await makeRootfs(buildah, tag, layers, join(folder, "rootfs"))).toBe(rootfs);
});

test("an image without ENTRYPOINT and CMD is refused in words", async () => {
  const { buildah, build } = await useBuildah();
  const tag = await build(BASE);
  await expect(describeImage(buildah, tag, {})).rejects.toThrow(/neither ENTRYPOINT nor CMD/);
});

test("a failing step is named with its last words", async () => {
  const { build, logText } = await useBuildah();
  const failing = build(`${BASE}${RUN("/bin/busybox echo the disk is upside down >&2; exit 7")}`);
  await expect(failing).rejects.toMatchObject({ failureCode: "CONTAINER_BUILD_FAILED" });
  await expect(failing).rejects.toThrow(/^The container image build failed\. STEP 3\/3: RUN .*the disk is upside down/s);
  expect(await logText()).toContain("the disk is upside down");
});

test("a base image is taken from where the configuration says", async () => {
  const { folder, buildah, build, logText } = await useBuildah();
  await build(`${BASE}ENV FROM_BASE=yes\nCMD ["/bin/busybox"]\n`, { tag: "localhost/base" });
  const archive = `oci-archive:${join(folder, "base.tar")}`;
  await buildah.run(["push", "localhost/base", archive]);
  await buildah.run(["rmi", "--all", "--force"]);
  const name = "registry.invalid/some/base:1";
  const tag = await build(`FROM ${name}\n${RUN("exit 0")}`, { baseImages: `${name}=${archive}` });
  expect((await describeImage(buildah, tag, {})).container.env).toMatchObject({ FROM_BASE: "yes" });
  expect(await logText()).toContain(`base image ${name} is taken from ${archive}`);
});

test("a base image out of reach is named, with the way out", async () => {
  const { build } = await useBuildah();
  await expect(build("FROM registry.invalid/some/base:1\n")).rejects.toThrow(/registry\.invalid\/some\/base:1.*CATNAP_BASE_IMAGES/s);
});

test("a cancelled build stops", async () => {
  const { build } = await useBuildah();
  const reason = new Error("enough");
  const stop = new AbortController();
  const running = build(`${BASE}${RUN("/bin/busybox sleep 600")}`, { signal: stop.signal });
  setTimeout(() => stop.abort(reason), 500);
  await expect(running).rejects.toBe(reason);
});
