import { z } from "zod";
import type { TerminalSize } from "../guest-link/guest-link.ts";

const cells = z.int().min(0).max(65_535);
const resize = z.object({ type: z.literal("resize"), cols: cells, rows: cells });
const text = z.string().max(100_000);

const execRequest = z.object({
  type: z.literal("exec"),
  argv: z.array(text).min(1).max(10_000),
  env: z.record(z.string().regex(/^[^=\0]+$/), text).optional(),
  workdir: z.string().startsWith("/").max(4096).optional(),
  user: z.string().max(256).optional(),
  terminal: z.object({ cols: cells, rows: cells }).optional(),
});

export type ExecRequest = z.infer<typeof execRequest>;

/** The size a resize message asks for; undefined for any other text, which a terminal takes as typed (contract 7). */
export function parseResize(message: string): TerminalSize | undefined {
  const { success, data } = resize.safeParse(parseJson(message));
  return success ? { columns: data.cols, rows: data.rows } : undefined;
}

export function parseExecRequest(message: string): ExecRequest | undefined {
  return execRequest.safeParse(parseJson(message)).data;
}

export function isInputEnd(message: string): boolean {
  return z.object({ type: z.literal("stdin_end") }).safeParse(parseJson(message)).success;
}

function parseJson(message: string): unknown {
  if (!message.startsWith("{")) return undefined; // most typed text is none, and goes no further
  try {
    return JSON.parse(message);
  } catch {
    return undefined;
  }
}
