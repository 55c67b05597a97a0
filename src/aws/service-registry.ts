import { unreachable } from "../util/assert.ts";
import { createAwsJson } from "./protocol/aws-json.ts";
import { createAwsQuery } from "./protocol/aws-query.ts";
import { createRestJson } from "./protocol/rest-json.ts";
import { createRestXml } from "./protocol/rest-xml.ts";
import type { Protocol } from "./protocol/wire.ts";
import type { ServiceDefinition } from "./service.ts";

/** A service with the reader and writer of its wire protocol. */
export interface HostedService {
  readonly definition: ServiceDefinition;
  readonly protocol: Protocol;
}

/** Services by the signing name of a credential scope; several may share one and are told apart by path. */
export class ServiceRegistry {
  readonly #services: readonly HostedService[];

  constructor(definitions: readonly ServiceDefinition[]) {
    this.#services = definitions.map((definition) => ({ definition, protocol: createProtocol(definition) }));
  }

  bySigningName(signingName: string): readonly HostedService[] {
    return this.#services.filter(({ definition }) => definition.signingName === signingName);
  }

  /** Whose kind of answer a request expects that no signature tells the service of. */
  guess(request: {
    readonly method: string;
    readonly path: string;
    readonly query: readonly (readonly [string, string])[];
    readonly contentType: string;
  }): HostedService | undefined {
    const ofProtocol = (protocol: string) => this.#services.find(({ definition }) => definition.protocol === protocol);
    const isForm =
      request.contentType.startsWith("application/x-www-form-urlencoded") ||
      request.query.some(([name]) => name === "Action");
    if (request.contentType.startsWith("application/x-amz-json-1.1")) return ofProtocol("awsJson1_1");
    if (request.path === "/" && isForm) return ofProtocol("awsQuery");
    if (/^\/20\d\d-\d\d-\d\d\//.test(request.path)) return ofProtocol("restJson1");
    return ofProtocol("restXml") ?? this.#services[0];
  }
}

function createProtocol(definition: ServiceDefinition): Protocol {
  switch (definition.protocol) {
    case "restJson1":
      return createRestJson(definition);
    case "restXml":
      return createRestXml(definition);
    case "awsQuery":
      return createAwsQuery(definition);
    case "awsJson1_1":
      return createAwsJson(definition);
    default:
      return unreachable(definition.protocol);
  }
}
