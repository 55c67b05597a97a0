import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { QmpClient } from "./qmp-client.ts";

/** A monitor that does with each line what `answer` says. */
async function useMonitor(answer: (socket: Socket, line: string) => void): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "catnap-qmp-"));
  const path = join(directory, "qmp.sock");
  const server = createServer((socket) => {
    socket.write('{"QMP":{}}\n');
    socket.on("error", () => {});
    socket.setEncoding("utf8").on("data", (line: string) => answer(socket, line));
  }).listen(path);
  await once(server, "listening");
  onTestFinished(async () => {
    server.close();
    await rm(directory, { recursive: true });
  });
  return path;
}

const greet = (socket: Socket, line: string) => {
  if (line.includes("qmp_capabilities")) socket.write('{"return":{}}\n');
};

test("a monitor that stops answering is given up as lost", async () => {
  const path = await useMonitor(greet);
  const qmp = await QmpClient.open(path, { timeoutMs: 5_000, silenceMs: 100 });
  await expect(qmp.execute("stop")).rejects.toMatchObject({ code: "ERR_ENGINE_LOST" });
  await qmp.closed;
});

test("a monitor that never greets is given up as lost", async () => {
  const path = await useMonitor(() => {});
  await expect(QmpClient.open(path, { timeoutMs: 5_000, silenceMs: 100 })).rejects.toMatchObject({
    code: "ERR_ENGINE_LOST",
  });
});

test("answers that are no protocol end the connection", async () => {
  const path = await useMonitor((socket, line) => {
    greet(socket, line);
    if (line.includes("stop")) socket.write("nonsense\n");
  });
  const qmp = await QmpClient.open(path, { timeoutMs: 5_000 });
  await expect(qmp.execute("stop")).rejects.toMatchObject({ code: "ERR_ENGINE_LOST" });
});
