import { execFile } from "node:child_process";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test, vi } from "vitest";
import { createLog } from "./log.ts";

async function useFile() {
  const directory = await mkdtemp(join(tmpdir(), "catnap-log-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, "log");
  const handle = await open(file, "a");
  onTestFinished(() => handle.close());
  return { file, log: createLog("info", handle.fd) };
}

test("a line is JSON with its time, and without what may be secret", async () => {
  const { file, log } = await useFile();
  log.info({ microvmId: "microvm-1", request: { runHookPayload: "x", token: "y" } }, "run");
  const text = await vi.waitFor(async () => {
    const written = await readFile(file, "utf8");
    expect(written).toContain("\n");
    return written;
  });
  expect(JSON.parse(text)).toMatchObject({
    level: 30,
    time: expect.stringMatching(/Z$/),
    microvmId: "microvm-1",
    request: { runHookPayload: "[secret]", token: "[secret]" },
  });
});

test("a full disk does not end the process", async () => {
  const module = join(import.meta.dirname, "log.ts");
  const program = `import { createLog } from ${JSON.stringify(module)};
    const log = createLog("info");
    let lines = 0;
    const timer = setInterval(() => (log.info("a line"), ++lines === 20 && (clearInterval(timer), process._rawDebug("alive"), process.exit())), 5);`;
  const run = promisify(execFile);
  const node = `"${process.execPath}" --input-type=module -e "$PROGRAM" > /dev/full`;
  const { stderr } = await run("bash", ["-c", `${node} || true`], { env: { ...process.env, PROGRAM: program } });
  expect(stderr).toContain("alive");
});
