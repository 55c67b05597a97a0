import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { CredentialStore } from "../../src/auth/credentials.ts";
import { createApiServer, type ApiServerOptions } from "../../src/aws/api-server.ts";
import type { ServiceDefinition } from "../../src/aws/service.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";

export const TEST_KEY = { accessKeyId: "AKIATESTTESTTESTTEST", secretAccessKey: "a test's secret" };
export const TEST_ACCOUNT = "123456789012";

export const testCredentials: CredentialStore = {
  lookup: async (id) =>
    id === TEST_KEY.accessKeyId
      ? {
          secretAccessKey: TEST_KEY.secretAccessKey,
          principal: {
            arn: `arn:aws:iam::${TEST_ACCOUNT}:root`,
            accountId: TEST_ACCOUNT,
            accessKeyId: id,
            isAdministrator: true,
          },
        }
      : undefined,
};

export interface ApiEndpoint {
  readonly port: number;
  readonly url: string;
  /** What was logged. */
  readonly lines: object[];
}

/** Serves on a free port of 127.0.0.1 until the test ends. */
export async function useApiEndpoint(
  services: readonly ServiceDefinition[],
  options: Partial<ApiServerOptions> = {},
): Promise<ApiEndpoint> {
  const lines: object[] = [];
  const log = { info: (values: object) => void lines.push(values), error: (values: object) => void lines.push(values) };
  const server = createApiServer({
    services,
    credentials: testCredentials,
    baseDomains: ["localhost"],
    log,
    ...options,
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}`, lines };
}

export async function useDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "catnap-test-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export function useStore(): Store {
  const store = openSqliteStore(":memory:");
  onTestFinished(() => store.close());
  return store;
}
