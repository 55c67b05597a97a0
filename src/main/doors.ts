import type { Server } from "node:http";
import { join } from "node:path";
import { createRoleAuthorizer } from "../auth/authorizer-roles.ts";
import { openCertificateAuthority } from "../auth/certificate-authority.ts";
import type { EndpointTokens } from "../auth/endpoint-token.ts";
import { openJweEndpointTokens } from "../auth/jwe-endpoint-tokens.ts";
import { createApiServer } from "../aws/api-server.ts";
import { createIamService } from "../aws/iam/iam-service.ts";
import { createLambdaCoreService } from "../aws/lambda-core/lambda-core-service.ts";
import { createLambdaMicrovmsService } from "../aws/lambda-microvms/lambda-microvms-service.ts";
import { createLogsService } from "../aws/logs/logs-service.ts";
import { createS3Service, sweepObjectFiles } from "../aws/s3/s3-service.ts";
import { createStsService } from "../aws/sts/sts-service.ts";
import { createUsageService } from "../aws/usage/usage-service.ts";
import type { DiskReserve } from "../util/disk-reserve.ts";
import { createEndpointProxy } from "../proxy/endpoint-proxy.ts";
import type { Access } from "./access.ts";
import { endpointLimits } from "./endpoint-limits.ts";
import { openGuestApi } from "./guest-services.ts";
import type { House } from "./house.ts";
import { listenOnLoopback } from "./listen.ts";
import type { Machines } from "./machines.ts";
import type { Metering } from "./metering.ts";
import { openMetrics } from "./metrics.ts";

export interface Ports {
  readonly api: number;
  readonly endpoint: number;
}

export interface EndpointDoor {
  readonly port: number;
  readonly tokens: EndpointTokens;
  readonly caBundle: string;
}

/** The endpoints of the microVMs. `lastPorts` are taken again where any free one will do. */
export async function openEndpoints(
  house: House,
  { supervisor, metering }: Machines,
  lastPorts: Ports,
): Promise<EndpointDoor> {
  const { config, paths, log, cleanup } = house;
  const tokens = await openJweEndpointTokens(join(paths.certificates, "endpoint-keys.json"));
  const certificates = await openCertificateAuthority({ directory: paths.certificates, domain: config.domain });
  const proxy = createEndpointProxy({
    directory: supervisor,
    tokens,
    certificates,
    log,
    tierOf: endpointLimits(house),
    config: { ...config, endpointPort: config.endpointPort === 0 ? lastPorts.endpoint : config.endpointPort },
  });
  const { port } = await proxy.listen();
  cleanup.add(() => proxy.close());
  await openMetrics(house, [async () => proxy.metrics(), () => metering.meter.render()]);
  return { port, tokens, caBundle: certificates.bundleFile };
}

export interface ApiDoor {
  readonly port: number;
}

/** The AWS API: one address for all services. */
export async function openApi(
  house: House,
  machines: Machines,
  { access, tokens, lastPorts }: { access: Access; tokens: EndpointTokens; lastPorts: Ports },
): Promise<ApiDoor> {
  const { config, cleanup } = house;
  const api = await createApi(house, machines, { access, tokens });
  const port = await listenOnLoopback(api, { bind: config.bind, port: config.apiPort, preferred: lastPorts.api });
  cleanup.add(() => closeServer(api));
  await openGuestApi(house, machines.slots, api);
  return { port };
}

/** All services behind one server that listens nowhere yet. */
export async function createApi(
  house: House,
  {
    supervisor,
    builds,
    metering,
    disk,
  }: Pick<Machines, "supervisor" | "builds"> & { metering: Pick<Metering, "reporter">; disk?: DiskReserve },
  { access, tokens }: { access: Access; tokens: EndpointTokens },
): Promise<Server> {
  const { config, paths, store, logs, log } = house;
  await sweepObjectFiles({ store, objectsDirectory: paths.objects }); // uploads that a crash cut short
  return createApiServer({
    services: [
      createLambdaMicrovmsService({
        store,
        microvms: supervisor,
        tokens,
        builds,
        quotas: config.quotas,
        isArchitectureStrict: config.strictArchitecture === "on",
        maximumDurationSeconds: config.maximumDurationSeconds,
      }),
      createLambdaCoreService({
        store,
        authorizer: createRoleAuthorizer({ store }),
        rebindEgress: (connectorArn) => supervisor.rebindEgress(connectorArn),
        quotas: config.quotas,
      }),
      createUsageService({ reporter: metering.reporter }),
      createS3Service({ store, objectsDirectory: paths.objects, disk }),
      createIamService({ store }),
      createLogsService({ db: logs.db }),
      createStsService({ store, sessions: access.sessions, authorizer: access.callers }),
    ],
    credentials: access.credentials,
    authorizer: access.authorizer,
    audit: access.audit,
    baseDomains: [config.domain],
    log,
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
