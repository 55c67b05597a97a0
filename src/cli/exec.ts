import { z } from "zod";
import type { WebSocket } from "ws";
import { connectShell } from "./connect-shell.ts";
import { enterRawMode, followSize, sendInput, writeOut } from "./local-terminal.ts";

export interface ExecOptions {
  readonly tty?: boolean;
  readonly user?: string;
  readonly workdir?: string;
  readonly env?: readonly string[];
}

const EXEC_SUBPROTOCOL = "catnap.exec";
const STDERR_CHANNEL = 2;
/** As container tools have it: the command could not be run for reasons of the tool. */
const NOT_RUN = 125;

const endMessage = z.union([
  z.object({ type: z.literal("exit"), code: z.int().min(0).max(255), message: z.string().optional() }),
  z.object({ type: z.literal("error"), message: z.string() }),
]);

/** Runs a command beside the application; its output, its errors and its exit code are this process's own. */
export async function exec(microvmId: string, argv: readonly string[], options: ExecOptions): Promise<number> {
  const socket = await connectShell(microvmId, [EXEC_SUBPROTOCOL]);
  socket.send(JSON.stringify(request(argv, options)));
  const undo = options.tty === true ? [followSize(socket), await enterRawMode()] : [];
  undo.push(sendInput(socket, () => socket.send(JSON.stringify({ type: "stdin_end" }))));
  const code = await untilExit(socket);
  for (const end of undo) end();
  return code;
}

function request(argv: readonly string[], { tty, user, workdir, env = [] }: ExecOptions): Record<string, unknown> {
  const { stdout } = process;
  const terminal = stdout.isTTY ? { cols: stdout.columns, rows: stdout.rows } : { cols: 0, rows: 0 };
  return {
    type: "exec",
    argv,
    env: Object.fromEntries(env.map(splitVariable)),
    ...(user === undefined ? {} : { user }),
    ...(workdir === undefined ? {} : { workdir }),
    ...(tty === true ? { terminal } : {}),
  };
}

function splitVariable(entry: string): [string, string] {
  const equals = entry.indexOf("=");
  return equals < 0 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
}

function untilExit(socket: WebSocket): Promise<number> {
  return new Promise((resolve) => {
    let code: number | undefined;
    socket.on("message", (data, isBinary) => {
      const bytes = data as Buffer;
      if (isBinary) {
        const stream = bytes[0] === STDERR_CHANNEL ? process.stderr : process.stdout;
        return writeOut(socket, stream, bytes.subarray(1));
      }
      const end = endMessage.safeParse(JSON.parse(bytes.toString("utf8"))).data;
      if (end === undefined) return; // the session's id
      code = end.type === "exit" ? end.code : NOT_RUN;
      if (end.message !== undefined) process.stderr.write(`catnap: ${end.message}\n`);
    });
    socket.once("close", (closeCode, reason) => {
      if (code === undefined) {
        const why = reason.length === 0 ? `the connection broke (${closeCode})` : reason.toString("utf8");
        process.stderr.write(`catnap: the command ended: ${why}\n`);
      }
      resolve(code ?? NOT_RUN);
    });
    socket.resume();
  });
}
