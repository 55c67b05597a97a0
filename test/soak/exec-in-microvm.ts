import { readFileSync } from "node:fs";
import { CreateMicrovmShellAuthTokenCommand } from "@aws-sdk/client-lambda-microvms";
import { WebSocket } from "ws";
import { Broken, type CountedMicrovm } from "../counted/counted-microvm.ts";
import { persist } from "../counted/persist.ts";

const LIMIT_MS = 60_000;

async function openShell({ microvmId, endpoint, place }: CountedMicrovm, protocol: string): Promise<WebSocket> {
  const command = new CreateMicrovmShellAuthTokenCommand({ microvmIdentifier: microvmId, expirationInMinutes: 5 });
  const { authToken } = await persist(() => place.client().send(command));
  return new WebSocket(`wss://${endpoint}/shell`, ["lambda-microvms", protocol], {
    headers: { "x-aws-proxy-auth": authToken?.["X-aws-proxy-auth"] ?? "" },
    ca: readFileSync(place.caFile),
    handshakeTimeout: LIMIT_MS,
    perMessageDeflate: false,
  });
}

/** What a command prints, and its exit code: "42 5". Rejects when the connection ends before. */
export async function execInMicrovm(microvm: CountedMicrovm, argv: readonly string[]): Promise<string> {
  const socket = await openShell(microvm, "catnap.exec");
  let printed = "";
  return talk(socket, {
    onOpen: () => socket.send(JSON.stringify({ type: "exec", argv })),
    onMessage(bytes, isBinary) {
      if (isBinary) printed += bytes.subarray(1).toString();
      else {
        const { type, code } = JSON.parse(bytes.toString()) as { type: string; code?: number };
        if (type === "exit") return `${printed.trim()} ${code}`;
      }
      return undefined;
    },
  });
}

/** Types a line into a shell on a terminal, by the service's protocol, until it shows what is wanted. */
export async function typeInShell(microvm: CountedMicrovm, line: string, wanted: RegExp): Promise<void> {
  const socket = await openShell(microvm, "lambda-microvms.port.8022");
  let seen = "";
  await talk(socket, {
    onOpen: () => {},
    onMessage(bytes, isBinary) {
      if (!isBinary) socket.send(Buffer.from(`${line}\n`)); // the session's first word
      else seen += bytes.toString();
      return wanted.test(seen) ? seen : undefined;
    },
  });
}

/** Sends texts to the app's WebSocket and wants each back. */
export async function echoThrough(microvm: CountedMicrovm, texts: readonly string[]): Promise<void> {
  const socket = new WebSocket(`wss://${microvm.endpoint}/socket`, {
    headers: { "x-aws-proxy-auth": await microvm.token(), "x-aws-proxy-port": "8080" },
    ca: readFileSync(microvm.place.caFile),
    handshakeTimeout: LIMIT_MS,
    perMessageDeflate: false,
  });
  const left = [...texts];
  const wrong = await talk(socket, {
    onOpen: () => socket.send(left[0] ?? ""),
    onMessage(bytes) {
      const wanted = left.shift();
      if (bytes.toString() !== wanted) return `${bytes.toString()} came back for ${wanted}`;
      if (left[0] === undefined) return "";
      socket.send(left[0]);
      return undefined;
    },
  });
  if (wrong !== "") throw new Broken(wrong);
}

interface Talk {
  readonly onOpen: () => void;
  /** Undefined: goes on. */
  readonly onMessage: (bytes: Buffer, isBinary: boolean) => string | undefined;
}

async function talk(socket: WebSocket, { onOpen, onMessage }: Talk): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const limit = setTimeout(() => reject(new Error(`the WebSocket said nothing for ${LIMIT_MS} ms`)), LIMIT_MS);
  socket.once("open", onOpen);
  socket.on("message", (data, isBinary) => {
    const end = onMessage(data as Buffer, isBinary);
    if (end !== undefined) resolve(end);
  });
  socket.on("error", reject);
  socket.once("close", (code, reason) => reject(new Error(`the WebSocket was closed: ${code} ${reason.toString()}`)));
  try {
    return await promise;
  } finally {
    clearTimeout(limit);
    socket.terminate();
  }
}
