import { once } from "node:events";
import type { Server as HttpServer } from "node:http";
import { createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { startTicksOf } from "../engine/qemu/process-identity.ts";
import { AppError } from "../errors/app-error.ts";
import type { BuildGuests } from "../metadata/build-guests.ts";
import { createGuestDirectory, type Guest } from "../metadata/guest-directory.ts";
import { createMetadataServer } from "../metadata/metadata-server.ts";
import { openMetadataTokens } from "../metadata/metadata-token.ts";
import { createRoleCredentials } from "../metadata/role-credentials.ts";
import { SERVICE_PORTS } from "../model/guest.ts";
import type { SlotPool } from "../network/slot-pool.ts";
import { limitConnections } from "../util/limit-connections.ts";
import type { Access } from "./access.ts";
import type { House } from "./house.ts";

/** Connections that one guest may hold open to each service. */
const MAX_METADATA_CONNECTIONS = 32;
const MAX_API_CONNECTIONS = 128;

export interface MetadataParts {
  readonly slots: SlotPool;
  readonly builders: BuildGuests;
  readonly sessions: Access["sessions"];
  readonly onKeepAlive?: (guest: Guest) => void;
}

/** Opens the metadata service, which tells guests apart by their network slots. */
export async function openMetadata(
  { paths, store, log, cleanup }: House,
  { slots, builders, sessions, onKeepAlive }: MetadataParts,
): Promise<void> {
  const guests = createGuestDirectory({
    store,
    hostId: hostname(),
    isAlive: async ({ pid, startTicks }) => (await startTicksOf(pid)) === startTicks,
  });
  const server = createMetadataServer({
    identify: async (address) => {
      const slot = slots.numberOf(address);
      return slot === undefined ? undefined : (builders.find(slot) ?? guests.find(slot));
    },
    tokens: await openMetadataTokens(join(paths.certificates, "metadata-key")),
    credentials: createRoleCredentials({
      store,
      sessions,
      onIssued: ({ microvmId, executionRoleArn }: Guest, { accessKeyId, expiresAt }) =>
        log.info({ microvmId, executionRoleArn, accessKeyId, expiresAt }, "a microVM got credentials of its role"),
    }),
    onKeepAlive,
    log,
  });
  await listen(server, { slots, port: SERVICE_PORTS.metadata, most: MAX_METADATA_CONNECTIONS });
  cleanup.add(async () => {
    server.closeAllConnections();
    await close(server);
  });
}

/** The API, signed as everywhere, where guests reach it: the same server as on the host's own address. */
export async function openGuestApi({ cleanup }: House, slots: SlotPool, api: HttpServer): Promise<void> {
  const door = createServer((socket) => api.emit("connection", socket));
  await listen(door, { slots, port: SERVICE_PORTS.api, most: MAX_API_CONNECTIONS });
  cleanup.add(async () => void door.close()); // its connections are the API's, which ends them
}

async function listen(server: Server, to: { slots: SlotPool; port: number; most: number }): Promise<void> {
  limitConnections(server, to.most);
  const address = to.slots.serviceAddress;
  try {
    server.listen(to.port, address);
    await once(server, "listening");
  } catch (cause) {
    const message = `Guests cannot be served on ${address}:${to.port}; if another program listens on port ${to.port}, end it`;
    throw new AppError("ERR_CONFIG_INVALID", { message, cause });
  }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
